import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type OpenRegistry, openRegistry, type RegistryOptions } from '../../src/index.ts'
import { addImage, digestOf } from '../support.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

const peerOf = ({ host }: TestUpstream) => ({
  registry: 'up.test',
  url: `http://${host}`,
  isPrivate: true,
  username: 'robot',
  password: 's3cret',
})

async function ask(registry: OpenRegistry, method: string, target: string) {
  const url = new URL(`http://here${target}`)
  const { body, status } = await registry.handle({
    method,
    path: url.pathname,
    query: url.searchParams,
    header: () => undefined,
    body: (async function* () {})(),
  })
  const chunks: Uint8Array[] = []
  if (body instanceof Uint8Array) chunks.push(body)
  else if (body !== undefined) for await (const chunk of body) chunks.push(chunk)
  return { status, bytes: Buffer.concat(chunks) }
}

describe('a whole registry', () => {
  it('caches its upstreams and tells how they are, without their passwords', async () => {
    await using upstream = await startUpstream()
    const large = randomBytes(300_000)
    const digest = await upstream.registry.addBlob('app', large)
    await addImage(upstream.registry, 'app', '1')
    const options: RegistryOptions = {
      isOpen: true,
      upstreams: [{ ...peerOf(upstream), prefix: 'up' }],
    }
    await using registry = await openRegistry(options)
    expect((await ask(registry, 'GET', '/v2/up/app/manifests/1')).status).toBe(200)
    expect(digestOf((await ask(registry, 'GET', `/v2/up/app/blobs/${digest}`)).bytes)).toBe(digest)
    const told = await ask(registry, 'GET', '/api/v1/upstreams')
    expect(JSON.parse(String(told.bytes))).toMatchObject({
      upstreams: [{ registry: 'up.test', prefix: 'up', repositories: 1 }],
    })
    expect(String(told.bytes)).not.toContain('s3cret')
    await upstream.die()
    expect(digestOf((await ask(registry, 'GET', `/v2/up/app/blobs/${digest}`)).bytes)).toBe(digest)
  })

  it('plans and queues the rules of its replication', async () => {
    await using peer = await startUpstream()
    await addImage(peer.registry, 'app', '1')
    await using registry = await openRegistry({
      isOpen: true,
      replication: [{ name: 'in', direction: 'pull', remote: peerOf(peer), repositories: ['app'] }],
    })
    const plan = await ask(registry, 'POST', '/api/v1/replication/in?dry-run=true')
    expect(JSON.parse(String(plan.bytes))).toMatchObject({
      report: { copied: 1 },
      steps: [{ type: 'repository' }, { type: 'would-copy', source: 'app', reference: '1' }],
    })
    expect((await ask(registry, 'POST', '/api/v1/replication/in')).status).toBe(202)
    expect(await registry.database.all('SELECT kind FROM jobs')).toContainEqual({
      kind: 'replication-run',
    })
    const rules = await ask(registry, 'GET', '/api/v1/replication')
    expect(JSON.parse(String(rules.bytes))).toMatchObject({
      rules: [{ name: 'in', direction: 'pull', remote: 'up.test' }],
    })
    expect(String(rules.bytes)).not.toContain('s3cret')
    expect((await ask(registry, 'POST', '/api/v1/replication/other')).status).toBe(404)
  })

  it('shows none of that to people without rights', async () => {
    await using registry = await openRegistry({ upstreams: [{ registry: 'up.test' }] })
    for (const path of ['/api/v1/upstreams', '/api/v1/replication']) {
      expect((await ask(registry, 'GET', path)).status, path).toBe(401)
    }
  })
})
