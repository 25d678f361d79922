import { describe, expect, it } from 'vitest'
import { fail, startMemoryRegistry, type MemoryRegistry } from '../test/memory-registry.ts'
import type { Credential } from './credential.ts'
import { noCredentials } from './credential.ts'
import { login } from './login.ts'
import { createRemote } from './remote.ts'
import { defaultSettings } from './settings.ts'

async function tryLogin(registry: MemoryRegistry, password: string) {
  await using remote = createRemote({
    settings: defaultSettings,
    credentials: noCredentials,
    userAgent: 't',
  })
  const stored: [string, Credential][] = []
  await login(
    remote,
    {
      store: async (name, credential) => {
        stored.push([name, credential])
        return {}
      },
    },
    { registry: registry.host, username: 'alice', password },
  )
  return stored
}

describe('login', () => {
  it('keeps a password that Basic takes', async () => {
    await using registry = await startMemoryRegistry()
    registry.intercept = (request, response) => {
      if (request.headers.authorization === `Basic ${btoa('alice:right')}`) return false
      response.setHeader('www-authenticate', 'Basic realm="r"')
      fail(response, 401, 'UNAUTHORIZED', 'authentication required')
      return true
    }
    expect(await tryLogin(registry, 'right')).toEqual([
      [registry.host, { kind: 'basic', username: 'alice', password: 'right' }],
    ])
    await expect(tryLogin(registry, 'wrong')).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      details: {
        dockerMessage: `login attempt to http://${registry.host}/v2/ failed with status: 401 Unauthorized`,
      },
    })
  })

  it('keeps the identity token of a token service, and tells its refusal', async () => {
    await using registry = await startMemoryRegistry()
    registry.intercept = (request, response) => {
      if (request.url?.startsWith('/token')) {
        if (request.headers.authorization === `Basic ${btoa('alice:right')}`) {
          response.end('{"token":"t","refresh_token":"R"}')
        } else {
          fail(response, 401, 'UNAUTHORIZED', 'incorrect username or password')
        }
        return true
      }
      if (request.headers.authorization === 'Bearer t') return false
      response.setHeader('www-authenticate', `Bearer realm="${registry.url}/token",service="s"`)
      fail(response, 401, 'UNAUTHORIZED', 'authentication required')
      return true
    }
    expect(await tryLogin(registry, 'right')).toEqual([
      [registry.host, { kind: 'identity', username: 'alice', token: 'R' }],
    ])
    expect(registry.requests).toContain(
      'GET /token?account=alice&client_id=katman&offline_token=true&service=s',
    )
    await expect(tryLogin(registry, 'wrong')).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      details: {
        dockerMessage: `Get "http://${registry.host}/v2/": unauthorized: incorrect username or password`,
      },
    })
  })
})
