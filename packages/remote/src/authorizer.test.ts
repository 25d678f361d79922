import { describe, expect, it } from 'vitest'
import { mediaTypes } from '@katman/oci'
import { fail, type MemoryRegistry, startMemoryRegistry } from '../test/memory-registry.ts'
import { fakeClock, openRepository } from '../test/support.ts'
import { createAuthorizer } from './authorizer.ts'
import type { Credential } from './credential.ts'
import type { HttpRequest, HttpResponse } from './http.ts'

const alice: Credential = { kind: 'basic', username: 'alice', password: 'secret' }
const exchange = { method: 'GET', url: new URL('https://reg.test/v2/x') }
const scopes = ['repository:x:pull']

function answer(body: unknown, status = 200): HttpResponse {
  return {
    status,
    reason: 'OK',
    headers: new Map(),
    remoteAddress: undefined,
    discard: () => undefined,
    body: (async function* () {
      yield Buffer.from(JSON.stringify(body))
    })(),
  }
}

function authorizerFor(
  realm: string,
  options: {
    readonly credential?: Credential
    readonly isPrivate?: boolean
    readonly registry?: string
    readonly tokens?: readonly unknown[]
  },
) {
  const sent: HttpRequest[] = []
  const clock = fakeClock()
  const tokens = [...(options.tokens ?? [])]
  const authorizer = createAuthorizer({
    credential: async () => options.credential,
    send: async (request) => {
      sent.push(request)
      return answer(tokens.shift() ?? { token: `t${sent.length}` })
    },
    clock,
    userAgent: 'test',
    trustedRealms: [],
    skipVerify: false,
  })
  authorizer.learn(`Bearer realm="${realm}",service="s"`, {
    url: new URL(options.registry ?? 'https://reg.test/v2/'),
    isPrivate: options.isPrivate ?? false,
  })
  return { sent, clock, get: () => authorizer.authorization({ exchange, scopes }) }
}

describe('createAuthorizer', () => {
  it.each([
    'https://evil.test/token',
    'http://reg.test/token',
    'https://reg.test.evil.test/token',
    'https://127.0.0.1/token',
    'https://2130706433/token',
    'https://169.254.169.254/token',
    'https://[::1]/token',
    'https://user:pw@reg.test/token',
    'file:///etc/passwd',
    'nonsense',
  ])('sends nothing to the realm %s when there are credentials', async (realm) => {
    const { sent, get } = authorizerFor(realm, { credential: alice })
    await expect(get()).rejects.toMatchObject({ code: 'AUTH_REALM_REFUSED' })
    expect(sent).toEqual([])
  })

  it('asks another realm anonymously, but not a private one', async () => {
    const other = authorizerFor('https://tokens.example/t', {})
    expect(await other.get()).toBe('Bearer t1')
    expect(other.sent[0]).toMatchObject({ publicOnly: true })
    const inside = authorizerFor('https://10.0.0.1/t', {})
    await expect(inside.get()).rejects.toMatchObject({ code: 'AUTH_REALM_REFUSED' })
    const lan = authorizerFor('https://10.0.0.1/t', { isPrivate: true })
    expect(await lan.get()).toBe('Bearer t1')
  })

  it('keeps a token until less than a minute is left', async () => {
    const { clock, get, sent } = authorizerFor('https://reg.test/t', {
      credential: alice,
      tokens: [{ token: 'a', expires_in: 300, issued_at: '2001-01-01T00:00:00Z' }],
    })
    expect(await get()).toBe('Bearer a')
    await clock.sleep(230_000)
    expect(await get()).toBe('Bearer a')
    await clock.sleep(50_000)
    expect(await get()).toBe('Bearer t2')
    expect(sent[0]?.headers?.['authorization']).toBe(`Basic ${btoa('alice:secret')}`)
    expect(sent[0]?.url.href).toBe(
      'https://reg.test/t?account=alice&scope=repository%3Ax%3Apull&service=s',
    )
  })

  it('exchanges an identity token by POST and goes on with the newer one', async () => {
    const { clock, get, sent } = authorizerFor('https://reg.test/t', {
      credential: { kind: 'identity', username: 'alice', token: 'R1' },
      tokens: [{ access_token: 'a', refresh_token: 'R2' }],
    })
    expect(await get()).toBe('Bearer a')
    await clock.sleep(100_000)
    await get()
    const forms = sent.map(
      ({ body }) => new URLSearchParams(Buffer.from(body as Uint8Array).toString()),
    )
    expect(forms.map((form) => form.get('refresh_token'))).toEqual(['R1', 'R2'])
    expect(sent.map(({ url }) => url.search)).toEqual(['', ''])
  })

  it.each([[{}], [{ token: 'a\r\nx: y' }], [[1]], [{ token: 7 }]])(
    'refuses the token answer %j',
    async (token) => {
      const { get } = authorizerFor('https://reg.test/t', { tokens: [token] })
      await expect(get()).rejects.toMatchObject({ code: 'RESPONSE_INVALID' })
    },
  )
})

describe('authorization across hosts', () => {
  async function secondHost(
    use: (
      registry: MemoryRegistry,
      other: MemoryRegistry,
      seen: (string | undefined)[],
    ) => Promise<void>,
  ): Promise<void> {
    await using registry = await startMemoryRegistry()
    await using other = await startMemoryRegistry()
    const seen: (string | undefined)[] = []
    other.intercept = (request) => {
      seen.push(request.headers.authorization)
      return false
    }
    await use(registry, other, seen)
  }

  function protect(registry: MemoryRegistry, redirectBlobsTo: string): void {
    registry.intercept = (request, response) => {
      if (request.headers.authorization === undefined) {
        response.setHeader('www-authenticate', 'Basic realm="r"')
        fail(response, 401, 'UNAUTHORIZED', 'authentication required')
        return true
      }
      if (!request.url?.includes('/blobs/')) return false
      response.writeHead(307, { location: `${redirectBlobsTo}${request.url}` }).end()
      return true
    }
  }

  it('never shows credentials to the host of a redirect, not even on the way back', async () => {
    await secondHost(async (registry, other, seen) => {
      const blob = other.addBlob('elsewhere')
      protect(registry, other.url)
      await using opened = openRepository(registry, { credential: alice })
      const bytes = await Array.fromAsync(await opened.repository.open(blob))
      expect(Buffer.concat(bytes).toString()).toBe('elsewhere')
      expect(seen).toEqual([undefined])
    })
  })

  it('gives up after ten redirects', async () => {
    await using registry = await startMemoryRegistry()
    registry.intercept = (request, response) => {
      if (request.url === '/v2/') return false
      response.writeHead(302, { location: `${request.url}x` }).end()
      return true
    }
    await using opened = openRepository(registry)
    const descriptor = registry.addBlob('x')
    await expect(opened.repository.open(descriptor)).rejects.toMatchObject({
      code: 'REDIRECT_REFUSED',
    })
    expect(registry.requests.filter((line) => line.includes('/blobs/'))).toHaveLength(11)
  })

  it('does not send an upload to where POST is redirected', async () => {
    await secondHost(async (registry, other, seen) => {
      const blob = { mediaType: 'x/y', digest: registry.addBlob('x').digest, size: 1 }
      registry.intercept = (request, response) => {
        if (request.method !== 'POST') return false
        response.writeHead(307, { location: `${other.url}${request.url}` }).end()
        return true
      }
      await using opened = openRepository(registry)
      const source = async function* () {
        yield Buffer.from('x')
      }
      await expect(opened.repository.write(blob, async () => source())).rejects.toMatchObject({
        code: 'REDIRECT_REFUSED',
      })
      expect(seen).toEqual([])
    })
  })

  it('uploads to a signed address on another host without our authorization', async () => {
    await secondHost(async (registry, other, seen) => {
      const blob = { mediaType: 'x/y', digest: registry.addBlob('x').digest, size: 1 }
      other.uploads.set('1', Buffer.alloc(0))
      registry.intercept = (request, response) => {
        if (request.headers.authorization === undefined) {
          response.setHeader('www-authenticate', 'Basic realm="r"')
          fail(response, 401, 'UNAUTHORIZED', 'authentication required')
          return true
        }
        if (request.method !== 'POST') return false
        response.writeHead(202, { location: `${other.url}/v2/s/blobs/uploads/1?sig=1` }).end()
        return true
      }
      await using opened = openRepository(registry, { credential: alice })
      const source = async function* () {
        yield Buffer.from('x')
      }
      await opened.repository.write(blob, async () => source())
      expect(seen).toEqual([undefined])
      expect(other.blobs.has(blob.digest)).toBe(true)
    })
  })

  it('stops a registry that answers 401 for ever', async () => {
    await using registry = await startMemoryRegistry()
    registry.addManifest({}, mediaTypes.ociManifest, 'team/demo:1')
    registry.intercept = (request, response) => {
      if (request.url?.startsWith('/token')) {
        response.end('{"token":"t"}')
        return true
      }
      response.setHeader(
        'www-authenticate',
        `Bearer realm="${registry.url}/token",error="insufficient_scope"`,
      )
      fail(response, 401, 'UNAUTHORIZED', 'authentication required')
      return true
    }
    await using opened = openRepository(registry)
    await expect(opened.repository.fetchManifest('1')).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      details: { dockerMessage: 'denied: requested access to the resource is denied' },
    })
    expect(registry.requests.filter((line) => line.includes('/manifests/'))).toHaveLength(2)
  })
})
