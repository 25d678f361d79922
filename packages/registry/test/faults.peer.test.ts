import { afterAll, beforeAll, expect, it } from 'vitest'
import { type PostgresPeer, startPostgres } from '../../../test/peers/postgres.ts'
import { describePeers } from '../../../test/peers/require-peer.ts'
import { type S3Peer, startS3 } from '../../../test/peers/s3-servers.ts'
import { openRegistry, type OpenRegistry } from '../src/index.ts'
import { type FaultyServer, startFaultyServer } from './http-faults.ts'
import { ask, expectImage, push } from './pushes.ts'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'

describePeers('a registry whose servers fail', ['postgres', 'versitygw'], () => {
  let postgres: PostgresPeer | undefined
  let s3: S3Peer | undefined
  beforeAll(async () => {
    postgres = await startPostgres()
    s3 = await startS3('versitygw')
  })
  afterAll(async () => {
    await postgres?.[Symbol.asyncDispose]()
    await s3?.[Symbol.asyncDispose]()
  })

  it('is not ready without its database, says when to try again, and goes on by itself', async () => {
    await withRegistry(async ({ registry, wire }) => {
      expect(await push(registry, 'v1')).toBe(true)
      wire.mode = 'refuse'
      wire.cut()
      const refused = await ask(registry, 'GET', '/v2/team/app/manifests/v1')
      expect([refused.status, refused.headers?.['retry-after']]).toEqual([503, '2'])
      expect(refused.text).toContain('UNAVAILABLE')
      await expect(registry.check()).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
      wire.mode = 'pass'
      await registry.check()
      await expectImage(registry, 'v1')
    })
  })

  it('loses nothing of what it said yes to while PostgreSQL crashes and starts again', async () => {
    await withRegistry(async ({ registry }) => {
      const done = new Set<string>()
      let next = 0
      const work = async (): Promise<void> => {
        while (next < 60) {
          const tag = `v${next++}`
          if (tag === 'v20') void postgres?.restart()
          // The next try of a client.
          while (!(await push(registry, tag))) continue
          done.add(tag)
        }
      }
      await Promise.all([work(), work(), work(), work()])
      expect(done.size).toBe(60)
      for (const tag of done) await expectImage(registry, tag)
    })
  })

  it('takes no blob that the bucket did not take, and takes it later', async () => {
    await withRegistry(async ({ registry, bucket }) => {
      bucket.decide = (method) => (method === 'PUT' ? { status: 503 } : 'pass')
      expect(await push(registry, 'v1')).toBe(false)
      expect((await ask(registry, 'HEAD', '/v2/team/app/manifests/v1')).status).toBe(404)
      bucket.decide = () => 'silent'
      expect(await push(registry, 'v1')).toBe(false)
      await expect(registry.check()).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
      bucket.decide = () => 'pass'
      expect(await push(registry, 'v1')).toBe(true)
      await expectImage(registry, 'v1')
    })
  })

  it('sends a blob whole although the bucket breaks off', async () => {
    await withRegistry(async ({ registry, bucket }) => {
      expect(await push(registry, 'v1')).toBe(true)
      let gets = 0
      bucket.decide = (method) => (method === 'GET' && gets++ < 3 ? { cutAfter: 20_000 } : 'pass')
      await expectImage(registry, 'v1')
      expect(gets).toBeGreaterThan(3)
    })
  })

  it('sends clients to the bucket when asked to, and not those that are named', async () => {
    const redirects = { neverFor: ['old-client/1.'] }
    await withRegistry(
      async ({ registry }) => {
        expect(await push(registry, 'v1')).toBe(true)
        const manifest = await ask(registry, 'GET', '/v2/team/app/manifests/v1')
        const { layers } = JSON.parse(manifest.text) as { layers: { digest: string }[] }
        const target = `/v2/team/app/blobs/${layers[0]?.digest ?? ''}`
        const sent = await ask(registry, 'GET', target)
        expect(sent.status).toBe(307)
        const direct = await fetch(sent.headers?.['location'] ?? '')
        expect(await direct.text()).toHaveLength(80_000)
        const named = await ask(registry, 'GET', target, undefined, {
          'user-agent': 'old-client/1.2 (linux)',
        })
        expect([named.status, named.text.length]).toEqual([200, 80_000])
        expect((await ask(registry, 'HEAD', target)).status).toBe(200)
      },
      { redirects },
    )
  })

  interface Failing {
    readonly registry: OpenRegistry
    /** Before PostgreSQL. */
    readonly wire: TcpProxy
    /** Before the bucket. */
    readonly bucket: FaultyServer
  }

  async function withRegistry(
    work: (failing: Failing) => Promise<void>,
    options: Partial<Parameters<typeof openRegistry>[0]> = {},
  ): Promise<void> {
    if (postgres === undefined || s3 === undefined) throw new Error('no servers')
    await using wire = await startTcpProxy([postgres.port])
    await using bucket = await startFaultyServer(s3.port)
    const url = new URL(await postgres.createDatabase())
    url.port = String(wire.port)
    await using registry = await openRegistry({
      ...options,
      isOpen: true,
      database: url.href,
      storage: `${await s3.createBucket(bucket.port)}&timeout=1&attempts=2`,
    })
    await work({ registry, wire, bucket })
  }
})
