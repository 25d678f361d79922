import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { startServer } from '../src/index.ts'
import { clientSecret, startProvider, type TestProvider } from './oidc-issuer.ts'
import { basic } from './accounts.ts'

interface LoginTest extends AsyncDisposable {
  readonly url: string
  readonly provider: TestProvider
  readonly admin: string
}

async function openLogin(more: object = {}): Promise<LoginTest> {
  const folder = await mkdtemp(path.join(tmpdir(), 'katman-login-'))
  const clientSecretFile = path.join(folder, 'secret')
  await writeFile(clientSecretFile, `${clientSecret}\n`)
  const reserved = await reservePort()
  const { port } = reserved
  const url = `http://127.0.0.1:${port}`
  const provider = await startProvider(`${url}/login/callback`)
  await reserved.release()
  const server = await startServer(
    {
      registry: {
        outbound: { login: ['127.0.0.1'] },
        access: {
          login: { issuer: provider.url, clientID: 'registry', clientSecretFile, ...more },
        },
      },
      listen: { host: '127.0.0.1', port },
      version: 'test',
    },
    { log: () => undefined, warn: () => undefined },
  )
  return {
    url,
    provider,
    admin: basic('admin', server.firstRun?.token ?? ''),
    async [Symbol.asyncDispose]() {
      await server.stop()
      await provider[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    },
  }
}

describe('login at an OpenID Connect provider', () => {
  it('ends with an access token of some hours for docker login', async () => {
    await using login = await openLogin()
    const page = await login.provider.logIn(`${login.url}/login`, 'Ayse@example.org')
    expect(page.status).toBe(200)
    expect(page.text).toContain('docker login -u ayse 127.0.0.1:')
    const [token = ''] = /kat_[0-9A-Za-z]{38}/.exec(page.text) ?? []
    const self = await fetch(`${login.url}/api/v1/whoami`, {
      headers: { authorization: basic('ayse', token) },
    })
    expect(await self.json()).toMatchObject({
      name: 'ayse',
      issuer: login.provider.url,
      has_password: false,
      is_admin: false,
    })
    const again = await login.provider.logIn(`${login.url}/login`, 'Ayse@example.org')
    expect(again.text).toContain('-u ayse ')
    const change = (body: object): Promise<Response> =>
      fetch(`${login.url}/api/v1/accounts/ayse`, {
        method: 'PATCH',
        headers: { authorization: login.admin, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
    expect((await change({ is_disabled: true })).status).toBe(200)
    expect((await login.provider.logIn(`${login.url}/login`, 'Ayse@example.org')).status).toBe(403)
  })

  it('gives nobody the account of another who is called so here', async () => {
    await using login = await openLogin()
    const page = await login.provider.logIn(`${login.url}/login`, 'admin')
    expect([page.status, page.text.includes('kat_')]).toEqual([409, false])
    const strange = await login.provider.logIn(`${login.url}/login`, '<script>')
    expect([strange.status, strange.text.includes('<script>')]).toEqual([403, false])
  })

  it('lets in only whose claims fit', async () => {
    await using staff = await openLogin({ claims: { groups: 'staff' } })
    expect((await staff.provider.logIn(`${staff.url}/login`, 'ayse')).status).toBe(200)
    await using boss = await openLogin({ claims: { groups: 'bosses' } })
    expect((await boss.provider.logIn(`${boss.url}/login`, 'ayse')).status).toBe(403)
  })

  it('takes an answer only in the browser that began, once, and leads nowhere else', async () => {
    await using login = await openLogin()
    const begun = await fetch(`${login.url}/login?callback=https://evil.test`, {
      redirect: 'manual',
    })
    const target = new URL(begun.headers.get('location') ?? '')
    expect(target.origin).toBe(login.provider.url)
    expect(target.searchParams.get('code_challenge_method')).toBe('S256')
    expect(target.searchParams.get('redirect_uri')).toBe(`${login.url}/login/callback`)
    const cookie = begun.headers.get('set-cookie') ?? ''
    expect(cookie).toMatch(/; HttpOnly; SameSite=Lax$/)
    const state = target.searchParams.get('state') ?? ''
    const callback = (headers: Record<string, string>, query: string): Promise<Response> =>
      fetch(`${login.url}/login/callback?${query}`, { headers, redirect: 'manual' })
    expect((await callback({}, `code=x&state=${state}`)).status).toBe(400)
    const [own = ''] = cookie.split(';')
    expect((await callback({ cookie: own }, 'code=x&state=other')).status).toBe(403)
    expect((await callback({ cookie: own }, `code=x&state=${state}`)).status).toBe(400)
  })
})

/** Held until it is released, or the provider may be given the same one. */
async function reservePort(): Promise<{ readonly port: number; release(): Promise<void> }> {
  const server = createServer()
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  return {
    port: address !== null && typeof address !== 'string' ? address.port : 0,
    release: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
      }),
  }
}
