import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type PostgresPeer, startPostgres } from '../../../test/peers/postgres.ts'
import { describePeers } from '../../../test/peers/require-peer.ts'
import { type S3Peer, startS3 } from '../../../test/peers/s3-servers.ts'
import { openRegistry, type OpenRegistry } from '../src/index.ts'
import { setRetention } from '../src/cleanup/retention-policy.ts'
import { openS3Objects } from '../src/objects/s3-objects.ts'
import { ask, expectImage, push, remove } from './pushes.ts'

const hourMs = 3_600_000

describePeers('clean-up in three replicas at once', ['postgres', 'versitygw'], () => {
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

  it('removes what nobody names, and nothing else, while all push and delete the same layers', async () => {
    await withReplicas(async ({ replicas, clock, storage }) => {
      const held = new Set<string>()
      let turn = 0
      const next = () => replicas[turn++ % replicas.length] ?? replicas[0]
      const work = async (repository: string, seed: number): Promise<void> => {
        let random = seed
        for (let step = 0; step < 30; step += 1) {
          random = (random * 1_103_515_245 + 12_345) % 2_147_483_648
          // The same layers in every repository: what one lets go of another takes.
          const tag = `v${random % 5}`
          const name = `${repository}:${tag}`
          if (random % 3 === 0) {
            if (await remove(next(), tag, repository)) held.delete(name)
          } else if (await push(next(), tag, repository)) {
            held.add(name)
          }
          clock.ms += hourMs / 2
        }
      }
      await Promise.all([1, 2, 3, 4, 5].map((at) => work(`team/app${at}`, at * 7919)))
      expect(held.size).toBeGreaterThan(5)
      for (const name of held) {
        const [repository = '', tag = ''] = name.split(':')
        await expectImage(next(), tag, repository)
      }
      for (const name of held) {
        const [repository = '', tag = ''] = name.split(':')
        expect(await remove(next(), tag, repository)).toBe(true)
      }
      const objects = await openS3Objects(storage)
      await vi.waitFor(
        async () => {
          clock.ms += 30 * hourMs
          expect(await Array.fromAsync(objects.list())).toEqual([])
        },
        { timeout: 60_000, interval: 300 },
      )
    })
  })

  it('lets nobody past a quota, whichever replica is asked', async () => {
    await withReplicas(async ({ replicas }) => {
      expect(await push(replicas[0], 'v0')).toBe(true)
      // Room for three more layers of 80,000 bytes.
      await replicas[0].database.run('INSERT INTO quotas (namespace, bytes) VALUES (?, ?)', [
        'team',
        330_000,
      ])
      const answers = await Promise.all(
        Array.from({ length: 12 }, async (_, at) => {
          const replica = replicas[at % 3] ?? replicas[0]
          return tryBlob(replica, at)
        }),
      )
      expect(answers.filter((status) => status === 201)).toHaveLength(3)
      expect(answers.filter((status) => status === 403 || status === 413)).toHaveLength(9)
    })
  })

  it('keeps what a retention policy keeps, and no more, whoever pushes where', async () => {
    await withReplicas(async ({ replicas, clock }) => {
      await setRetention(replicas[0].database, {
        repositories: 'team/*',
        tags: 'v*',
        keep: [{ newest: 2 }],
      })
      const pushes: readonly string[] = ['v0', 'v1', 'v2', 'stable', 'v3', 'v4', 'v5']
      for (const [at, tag] of pushes.entries()) {
        clock.ms += 1000
        expect(await push(replicas[at % 3] ?? replicas[0], tag)).toBe(true)
      }
      await vi.waitFor(
        async () => {
          clock.ms += hourMs
          const { text } = await ask(replicas[1], 'GET', '/v2/team/app/tags/list')
          expect(JSON.parse(text)).toMatchObject({ tags: ['stable', 'v4', 'v5'] })
        },
        { timeout: 30_000, interval: 200 },
      )
      for (const tag of ['stable', 'v4', 'v5']) await expectImage(replicas[2], tag)
    })
  })

  interface Running {
    readonly replicas: readonly [OpenRegistry, OpenRegistry, OpenRegistry]
    /** Added to the time. */
    readonly clock: { ms: number }
    readonly storage: string
  }

  async function withReplicas(work: (running: Running) => Promise<void>): Promise<void> {
    const database = (await postgres?.createDatabase()) ?? ''
    const storage = (await s3?.createBucket()) ?? ''
    const clock = { ms: 0 }
    const open = async () => {
      const times = {
        everyMs: 100,
        reviewAfterMs: hourMs,
        condemnedMs: hourMs,
        untaggedMs: hourMs,
        retentionEveryMs: 100,
      }
      const registry = await openRegistry(
        { database: `${database}?pool_size=5`, storage, isOpen: true, cleanup: times },
        { now: () => Date.now() + clock.ms },
      )
      await registry.start()
      return registry
    }
    await using one = await open()
    await using two = await open()
    await using three = await open()
    await work({ replicas: [one, two, three], clock, storage })
  }
})

async function tryBlob(registry: OpenRegistry, at: number): Promise<number> {
  const { createHash } = await import('node:crypto')
  const bytes = Buffer.alloc(80_000, `quota ${at} `)
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  const target = `/v2/team/app/blobs/uploads/?digest=${digest}`
  return (await ask(registry, 'POST', target, bytes)).status
}
