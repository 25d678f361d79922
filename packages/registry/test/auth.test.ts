import { describe, expect, it } from 'vitest'
import type { Policy, ServeOptions } from '../src/index.ts'
import { codesOf, digestOf, startRegistry, type TestRegistry } from './support.ts'

const users = { ayse: 'parola', baris: 'password', ['__proto__x']: 'x' }
/** Everybody reads `open`, only ayse writes. */
const policy: Policy = (user, repository, action) =>
  user === 'ayse' || (action === 'pull' && (repository === 'open' || user !== undefined))

describe('basic authentication', () => {
  it('lets users in and nobody else', async () => {
    await using registry = await startRegistry('memory', { auth: { kind: 'basic', users } })
    const wrong = [
      undefined,
      basic('ayse', 'wrong'),
      basic('ayse', ''),
      basic('nobody', 'parola'),
      basic('constructor', ''),
      basic('', ''),
      'Basic !!!',
      'Bearer token',
    ]
    for (const authorization of wrong) {
      for (const path of ['', '_catalog', 'app/manifests/1', 'app/tags/list']) {
        const response = await get(registry, path, authorization)
        expect(response.status).toBe(401)
        expect(response.headers.get('www-authenticate')).toBe(
          'Basic realm="Registry", charset="UTF-8"',
        )
        expect(await codesOf(response)).toEqual(['UNAUTHORIZED'])
      }
    }
    expect((await get(registry, '', basic('ayse', 'parola'))).status).toBe(200)
    expect((await get(registry, 'app/manifests/1', basic('baris', 'password'))).status).toBe(404)
  })

  it('follows the policy', async () => {
    const auth = { kind: 'basic', users, policy } as const
    await using registry = await startRegistry('memory', { auth })
    expect((await get(registry, 'open/manifests/1')).status).toBe(404)
    expect((await get(registry, 'closed/manifests/1')).status).toBe(401)
    const digest = digestOf('x')
    for (const [user, password, status] of [
      ['baris', 'password', 403],
      ['ayse', 'parola', 201],
    ] as const) {
      const response = await registry.send('POST', `open/blobs/uploads/?digest=${digest}`, {
        headers: { authorization: basic(user, password) },
        body: 'x',
      })
      expect(response.status).toBe(status)
    }
    const denied = await registry.send('DELETE', `open/blobs/${digest}`, {
      headers: { authorization: basic('baris', 'password') },
    })
    expect([denied.status, await codesOf(denied)]).toEqual([403, ['DENIED']])
    expect((await get(registry, `open/blobs/${digest}`)).status).toBe(200)
  })

  it('mounts only what the user may read, and lists only that', async () => {
    const auth = {
      kind: 'basic',
      users,
      policy: (user: string | undefined, repository: string) => repository === user,
    } as const
    await using registry = await startRegistry('memory', { auth })
    const digest = digestOf('secret')
    const ayse = { authorization: basic('ayse', 'parola') }
    const baris = { authorization: basic('baris', 'password') }
    await registry.send('POST', `ayse/blobs/uploads/?digest=${digest}`, {
      headers: ayse,
      body: 'secret',
    })
    const mount = `baris/blobs/uploads/?mount=${digest}&from=ayse`
    expect((await registry.send('POST', mount, { headers: baris })).status).toBe(202)
    expect((await get(registry, `baris/blobs/${digest}`, baris.authorization)).status).toBe(404)
    const catalog = async (authorization: string): Promise<unknown> =>
      (await get(registry, '_catalog', authorization)).json()
    expect(await catalog(ayse.authorization)).toEqual({ repositories: ['ayse'] })
    expect(await catalog(baris.authorization)).toEqual({ repositories: [] })
  })
})

describe('bearer authentication', () => {
  it('challenges with its own token endpoint and the scope', async () => {
    await using registry = await startBearer()
    for (const [method, path, scope] of [
      ['GET', '', ''],
      ['GET', 'team/app/manifests/1', ',scope="repository:team/app:pull"'],
      ['PUT', 'team/app/manifests/1', ',scope="repository:team/app:pull,push"'],
      ['POST', 'app/blobs/uploads/', ',scope="repository:app:pull,push"'],
      ['DELETE', 'app/manifests/1', ',scope="repository:app:delete"'],
      ['GET', '_catalog', ',scope="registry:catalog:*"'],
    ] as const) {
      const response = await registry.send(method, path)
      expect(response.status).toBe(401)
      expect(response.headers.get('www-authenticate')).toBe(
        `Bearer realm="${registry.url}/token",service="Registry"${scope}`,
      )
    }
  })

  it('sends clients for a token where they themselves came from, or where it is told to', async () => {
    const realm = async (
      registry: TestRegistry,
      headers: Record<string, string>,
    ): Promise<string> => {
      const { port } = new URL(registry.url)
      const response = await fetch(`http://localhost:${port}/v2/`, { headers })
      return /realm="([^"]*)"/.exec(response.headers.get('www-authenticate') ?? '')?.[1] ?? ''
    }
    await using direct = await startBearer()
    const forged = await realm(direct, { 'x-forwarded-proto': 'https' })
    expect(forged).toBe(`http://localhost:${new URL(direct.url).port}/token`)
    const trustedProxies = ['127.0.0.0/8']
    await using registry = await startBearer({ host: '0.0.0.0', trustedProxies })
    const { port } = new URL(registry.url)
    expect(await realm(registry, {})).toBe(`http://localhost:${port}/token`)
    expect(await realm(registry, { 'x-forwarded-proto': 'https' })).toBe(
      `https://localhost:${port}/token`,
    )
    const proxied = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'registry.example' }
    expect(await realm(registry, proxied)).toBe(`https://localhost:${port}/token`)
    await using fixed = await startBearer({ publicUrl: 'https://fixed.example' })
    expect(await realm(fixed, proxied)).toBe('https://fixed.example/token')
  })

  it('gives the part of the scopes the user may have', async () => {
    await using registry = await startBearer()
    const scopes = ['repository:open:pull,push', 'repository:closed:pull', 'nonsense', 'a:b:c']
    const anonymous = await token(registry, scopes)
    expect((await get(registry, 'open/manifests/1', anonymous)).status).toBe(404)
    const denied = await registry.send('PUT', 'open/manifests/1', {
      headers: { authorization: anonymous },
    })
    expect(denied.status).toBe(401)
    expect(denied.headers.get('www-authenticate')).toContain('error="insufficient_scope"')
    expect((await get(registry, 'closed/manifests/1', anonymous)).status).toBe(401)
    expect((await get(registry, '_catalog', anonymous)).status).toBe(401)

    const ayse = await token(registry, [...scopes, 'registry:catalog:*'], basic('ayse', 'parola'))
    const allowed = await registry.send('POST', 'open/blobs/uploads/', {
      headers: { authorization: ayse },
    })
    expect(allowed.status).toBe(202)
    expect((await get(registry, '_catalog', ayse)).status).toBe(200)
    expect((await get(registry, 'other/manifests/1', ayse)).status).toBe(401)
  })

  it('gives tokens by POST too', async () => {
    await using registry = await startBearer()
    const post = (fields: Readonly<Record<string, string>>): Promise<Response> =>
      fetch(`${registry.url}/token`, { method: 'POST', body: new URLSearchParams(fields) })
    const right = { grant_type: 'password', username: 'ayse', password: 'parola' }
    const response = await post({
      ...right,
      service: 'Registry',
      scope: 'repository:a:pull repository:b:pull',
    })
    const authorization = `Bearer ${await tokenOf(response)}`
    expect((await get(registry, 'a/manifests/1', authorization)).status).toBe(404)
    expect((await get(registry, 'b/manifests/1', authorization)).status).toBe(404)
    expect((await post({ ...right, password: 'no' })).status).toBe(401)
    expect((await post({ ...right, grant_type: 'refresh_token' })).status).toBe(400)
    expect((await post({ ...right, scope: 'x'.repeat(40_000) })).status).toBe(413)
  })

  it('refuses wrong credentials at the endpoint', async () => {
    await using registry = await startBearer()
    for (const authorization of [basic('ayse', 'no'), basic('toString', ''), 'Basic ?']) {
      const response = await fetch(`${registry.url}/token`, { headers: { authorization } })
      expect(response.status).toBe(401)
    }
  })

  it('takes no token that it did not make, and none for long', async () => {
    let now = Date.parse('2026-01-01')
    await using registry = await startBearer({ now: () => now })
    const good = await token(registry, ['repository:app:pull'], basic('baris', 'password'))
    expect((await get(registry, 'app/manifests/1', good)).status).toBe(404)
    const [head = '', body = '', signature = ''] = good.split('.')
    const claims = Buffer.from(body, 'base64url').toString('utf8')
    const forged = Buffer.from(claims.replace('baris', 'ayse'))
    const none = Buffer.from('{"alg":"none"}').toString('base64url')
    await using other = await startBearer({ now: () => now })
    for (const bad of [
      `${head}.${forged.toString('base64url')}.${signature}`,
      `Bearer ${none}.${body}.`,
      `${head}.${body}`,
      `${good}x`,
      'Bearer x',
      basic('baris', 'password'),
      await token(other, ['repository:app:pull'], basic('baris', 'password')),
    ]) {
      const response = await get(registry, 'app/manifests/1', bad)
      expect(response.status).toBe(401)
      expect(response.headers.get('www-authenticate')).toContain('error="invalid_token"')
    }
    now += 299_000
    expect((await get(registry, 'app/manifests/1', good)).status).toBe(404)
    now += 2000
    expect((await get(registry, 'app/manifests/1', good)).status).toBe(401)
  })
})

function startBearer(
  options: Partial<ServeOptions> & { readonly now?: () => number } = {},
): Promise<TestRegistry> {
  const { now = Date.now, ...rest } = options
  return startRegistry('memory', { ...rest, auth: { kind: 'bearer', users, policy, now } })
}

function get(registry: TestRegistry, path: string, authorization?: string): Promise<Response> {
  return registry.send(
    'GET',
    path,
    authorization === undefined ? {} : { headers: { authorization } },
  )
}

async function token(
  registry: TestRegistry,
  scopes: readonly string[],
  authorization?: string,
): Promise<string> {
  const query = new URLSearchParams(scopes.map((scope): [string, string] => ['scope', scope]))
  const response = await fetch(
    `${registry.url}/token?${query.toString()}`,
    authorization === undefined ? {} : { headers: { authorization } },
  )
  return `Bearer ${await tokenOf(response)}`
}

async function tokenOf(response: Response): Promise<string> {
  expect(response.status).toBe(200)
  const document: unknown = await response.json()
  expect(document).toMatchObject({ expires_in: 300 })
  const isDocument = typeof document === 'object' && document !== null && 'token' in document
  return isDocument ? String(document.token) : ''
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}
