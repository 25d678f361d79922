import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type OpenRegistry, openRegistry } from '../open-registry.ts'

interface Answer {
  readonly status: number
  readonly body: unknown
}

async function open(isOpen = true): Promise<OpenRegistry> {
  return openRegistry({ isOpen, cleanup: { undeleteMs: 60_000, reviewAfterMs: 0 } })
}

async function send(
  registry: OpenRegistry,
  method: string,
  path: string,
  body?: object | string,
  type = 'application/json',
): Promise<Answer> {
  const url = new URL(`http://localhost${path}`)
  const bytes = Buffer.from(typeof body === 'object' ? JSON.stringify(body) : (body ?? ''))
  const headers = new Map([
    ['content-type', type],
    ['content-length', String(bytes.byteLength)],
  ])
  const response = await registry.handle({
    method,
    path: url.pathname,
    query: url.searchParams,
    header: (name) => headers.get(name),
    body: (async function* single() {
      if (bytes.byteLength > 0) yield bytes
    })(),
  })
  const text = response.body instanceof Uint8Array ? Buffer.from(response.body).toString() : ''
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
}

const digestOf = (text: string): string =>
  `sha256:${createHash('sha256').update(text).digest('hex')}`

async function push(registry: OpenRegistry, name: string, tag: string, text: string) {
  const blob = `/v2/${name}/blobs/uploads/?digest=${digestOf(text)}`
  const uploaded = await send(registry, 'POST', blob, text)
  if (uploaded.status !== 201) return { ...uploaded, digest: '' }
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const config = {
    mediaType: 'application/vnd.oci.empty.v1+json',
    digest: digestOf(text),
    size: text.length,
  }
  const document = JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [] })
  const answer = await send(registry, 'PUT', `/v2/${name}/manifests/${tag}`, document, mediaType)
  return { ...answer, digest: digestOf(document) }
}

describe('the API of clean-up', () => {
  it('brings back what was deleted and what a tag stood for', async () => {
    await using registry = await open()
    const first = await push(registry, 'team/app', 'v1', 'one')
    const second = await push(registry, 'team/app', 'v1', 'two')
    expect(
      await send(registry, 'POST', '/api/v1/deleted/team/app', { reference: 'v1' }),
    ).toMatchObject({ status: 200, body: { digest: first.digest } })
    const path = `/v2/team/app/manifests/${second.digest}`
    expect(await send(registry, 'DELETE', path)).toMatchObject({ status: 202 })
    // Clean-up leaves what can come back.
    expect(await send(registry, 'POST', '/api/v1/gc')).toMatchObject({ status: 200 })
    expect(await send(registry, 'GET', '/api/v1/deleted/team/app')).toMatchObject({
      body: { manifests: [{ digest: second.digest }] },
    })
    const reference = second.digest
    expect(await send(registry, 'POST', '/api/v1/deleted/team/app', { reference })).toMatchObject({
      status: 200,
    })
    expect(await send(registry, 'HEAD', path)).toMatchObject({ status: 200 })
    expect(
      await send(registry, 'POST', '/api/v1/deleted/team/app', { reference: 'v9' }),
    ).toMatchObject({ status: 404 })
  })

  it('sets quotas that refuse an upload before its bytes are read', async () => {
    await using registry = await open()
    await send(registry, 'PUT', '/api/v1/quotas/team', { bytes: 10 })
    expect(await push(registry, 'team/app', 'v1', 'much too long')).toMatchObject({
      status: 403,
      body: { errors: [{ code: 'DENIED' }] },
    })
    expect(await push(registry, 'other/app', 'v1', 'much too long')).toMatchObject({ status: 201 })
    expect(await send(registry, 'GET', '/api/v1/quotas')).toMatchObject({
      body: { namespaces: [{ namespace: 'other' }, { namespace: 'team', quota: 10 }] },
    })
  })

  it('keeps immutable tags, applies retention, and names a key that is wrong', async () => {
    await using registry = await open()
    await send(registry, 'PUT', '/api/v1/immutable-tags', { repositories: 'team/*', tags: 'v*' })
    await push(registry, 'team/app', 'v1', 'one')
    await push(registry, 'team/app', 'next', 'two')
    expect(await push(registry, 'team/app', 'v1', 'two')).toMatchObject({ status: 403 })
    const policy = { repositories: '**', keep: [{ named: 'none' }] }
    await send(registry, 'PUT', '/api/v1/retention', policy)
    expect(await send(registry, 'GET', '/api/v1/retention/run')).toMatchObject({
      body: {
        tags: [
          { tag: 'next', isKept: false },
          { tag: 'v1', isKept: true, why: 'is immutable' },
        ],
      },
    })
    expect(await send(registry, 'POST', '/api/v1/retention/run')).toMatchObject({
      body: { deletedTags: 1 },
    })
    const wrong = { repositories: '**', keep: [{ newest: 1 }], extra: 1 }
    expect(await send(registry, 'PUT', '/api/v1/retention', wrong)).toMatchObject({
      status: 400,
      body: { errors: [{ detail: { key: 'extra' } }] },
    })
    expect(
      await send(registry, 'PUT', '/api/v1/retention', { repositories: '**', keep: [] }),
    ).toMatchObject({ status: 400 })
  })

  it('is for those who administer the registry', async () => {
    await using registry = await open(false)
    for (const path of ['gc', 'retention', 'quotas', 'quotas/team', 'immutable-tags', 'scrub']) {
      expect(await send(registry, 'GET', `/api/v1/${path}`)).toMatchObject({ status: 401 })
    }
    expect(await send(registry, 'GET', '/api/v1/deleted/team/app')).toMatchObject({ status: 401 })
  })
})
