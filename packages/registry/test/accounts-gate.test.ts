import { describe, expect, it } from 'vitest'
import { changeAccount, deleteAccount, setPassword } from '../src/accounts/account-store.ts'
import { queryAudit } from '../src/accounts/audit-log.ts'
import { makeFirstRunToken } from '../src/accounts/first-run.ts'
import { PasswordHasher } from '../src/accounts/password-hash.ts'
import { isSecretToken } from '../src/accounts/secret-token.ts'
import { deleteToken } from '../src/accounts/token-store.ts'
import { type AccountsRegistry, basic, openAccountsRegistry } from './accounts.ts'
import { digestOf } from './support.ts'

const password = 'correct horse'

describe('first start', () => {
  it('makes one administrator, with a token and without a password', async () => {
    await using registry = await openAccountsRegistry()
    const made = await Promise.all([1, 2, 3].map((at) => makeFirstRunToken(registry.database, at)))
    const [first, ...more] = made.filter((one) => one !== undefined)
    expect(more).toEqual([])
    expect(first?.account).toBe('admin')
    expect(isSecretToken(first?.token ?? '')).toBe(true)
    const stored = JSON.stringify(await registry.database.all('SELECT * FROM access_tokens'))
    expect(stored).not.toContain(first?.token)
    const asked = await registry.ask('GET', '/v2/', {
      authorization: basic('admin', first?.token ?? ''),
    })
    expect(asked.status).toBe(200)
    for (const guess of ['', 'admin', 'password', 'Harbor12345']) {
      const answer = await registry.ask('GET', '/v2/', { authorization: basic('admin', guess) })
      expect(answer.status).toBe(401)
    }
  })
})

describe('the gate of accounts', () => {
  it('sends clients without credentials for a token', async () => {
    await using registry = await openAccountsRegistry()
    const answer = await registry.ask('GET', '/v2/team/app/manifests/1')
    expect(answer.status).toBe(401)
    expect(answer.headers['www-authenticate']).toBe(
      'Bearer realm="http://registry.test/token",service="katman",scope="repository:team/app:pull"',
    )
  })

  it('takes a password, an access token and a signed token on the same server', async () => {
    await using registry = await openAccountsRegistry()
    const ayse = await registry.addAccount('ayse', { clear: password })
    await registry.grant(ayse, 'team/*', ['push'])
    const { secret } = await registry.addToken(ayse)
    const path = '/v2/team/app/tags/list'
    for (const authorization of [
      basic('ayse', password),
      basic('ayse', secret),
      `Bearer ${secret}`,
      await signed(registry, 'repository:team/app:pull', basic('ayse', password)),
      await signed(registry, 'repository:team/app:pull', basic('ayse', secret)),
    ]) {
      expect((await registry.ask('GET', path, { authorization })).status).toBe(404)
    }
    for (const authorization of [
      basic('ayse', 'wrong'),
      basic('baris', secret),
      basic('ayse', `${secret.slice(0, -1)}x`),
      'Bearer x',
      'Basic ?',
      'Negotiate abc',
    ]) {
      expect((await registry.ask('GET', path, { authorization })).status).toBe(401)
    }
  })

  it('asks for a token for both repositories before it mounts, of those who may pull there', async () => {
    await using registry = await openAccountsRegistry()
    const ayse = await registry.addAccount('ayse', { clear: password })
    await registry.grant(ayse, 'team/*', ['push'])
    const digest = `sha256:${'0'.repeat(64)}`
    const mount = async (from: string, scope: string) =>
      registry.ask('POST', `/v2/team/app/blobs/uploads/?mount=${digest}&from=${from}`, {
        authorization: await signed(registry, scope, basic('ayse', password)),
      })
    const scope = 'repository:team/app:pull,push'
    const refused = await mount('team/base', scope)
    expect(refused.status).toBe(401)
    expect(refused.headers['www-authenticate']).toContain(
      `scope="${scope} repository:team/base:pull",error="insufficient_scope"`,
    )
    // There is no such blob: the upload begins.
    expect((await mount('team/base', `${scope} repository:team/base:pull`)).status).toBe(202)
    expect((await mount('secret/base', scope)).status).toBe(202)
    expect((await mount('"x', scope)).status).toBe(202)
  })

  it('gives the part of the scopes the account may have', async () => {
    await using registry = await openAccountsRegistry()
    const ayse = await registry.addAccount('ayse', { clear: password })
    await registry.grant(ayse, 'team/*', ['pull'])
    await registry.grant({ kind: 'anonymous' }, 'open/app', ['pull'])
    const access = async (scopes: readonly string[], authorization?: string): Promise<unknown> => {
      const query = new URLSearchParams(scopes.map((scope): [string, string] => ['scope', scope]))
      const answer = await registry.ask('GET', `/token?${query.toString()}`, { authorization })
      expect(answer.status).toBe(200)
      expect(answer.document).toMatchObject({
        expires_in: 300,
        token: answer.document.access_token,
      })
      const [, body = ''] = String(answer.document.token).split('.')
      return JSON.parse(Buffer.from(body, 'base64url').toString('utf8')).access
    }
    const scopes = [
      'repository:team/app:pull,push',
      'repository:team/app:delete',
      'repository:open/app:*',
      'repository:other/app:pull',
      'registry:catalog:*',
      'repository(plugin):team/app:pull',
      'repository::pull',
      'nonsense',
    ]
    expect(await access(scopes, basic('ayse', password))).toEqual([
      { type: 'repository', name: 'team/app', actions: ['pull'] },
      { type: 'repository', name: 'open/app', actions: ['pull'] },
      { type: 'registry', name: 'catalog', actions: ['*'] },
    ])
    expect(await access(scopes)).toEqual([
      { type: 'repository', name: 'open/app', actions: ['pull'] },
      { type: 'registry', name: 'catalog', actions: ['*'] },
    ])
  })

  it('gives refresh tokens to those who ask for offline access, until the password changes', async () => {
    await using registry = await openAccountsRegistry()
    const ayse = await registry.addAccount('ayse', { clear: password })
    await registry.grant(ayse, 'team/*', ['pull'])
    const post = (fields: Record<string, string>): ReturnType<AccountsRegistry['ask']> =>
      registry.ask('POST', '/token', { body: new URLSearchParams(fields).toString() })
    const fields = { grant_type: 'password', username: 'ayse', password, service: 'katman' }
    expect((await post(fields)).document).not.toHaveProperty('refresh_token')
    const offline = (await post({ ...fields, access_type: 'offline' })).document
    const refresh = {
      grant_type: 'refresh_token',
      refresh_token: offline.refresh_token,
      scope: 'repository:team/app:pull repository:other/app:pull',
    }
    const renewed = await post(refresh)
    expect(renewed.document.refresh_token).toBe(offline.refresh_token)
    const authorization = `Bearer ${renewed.document.access_token}`
    expect((await registry.ask('GET', '/v2/team/app/tags/list', { authorization })).status).toBe(
      404,
    )
    // It is no password and no access token.
    for (const wrong of [basic('ayse', refresh.refresh_token), `Bearer ${refresh.refresh_token}`]) {
      expect((await registry.ask('GET', '/v2/', { authorization: wrong })).status).toBe(401)
    }
    const hash = await new PasswordHasher().hash('another one')
    await registry.database.transaction((transaction) => setPassword(transaction, ayse.id, hash, 1))
    expect((await post(refresh)).status).toBe(401)
    expect((await registry.ask('GET', '/v2/team/app/tags/list', { authorization })).status).toBe(
      401,
    )
    expect((await post({ ...fields, grant_type: 'client_credentials' })).status).toBe(400)
    expect((await post({ ...fields, scope: 'x'.repeat(40_000) })).status).toBe(413)
  })

  it('forgets nobody who was disabled, deleted, or lost a right or a token', async () => {
    await using registry = await openAccountsRegistry()
    await registry.addAccount('root', { isAdmin: true })
    const path = '/v2/team/app/tags/list'
    const lose = async (
      name: string,
      change: (id: number, token: string, grant: number) => Promise<unknown>,
    ): Promise<void> => {
      const account = await registry.addAccount(name, { clear: password })
      const grant = await registry.grant(account, 'team/*', ['pull'])
      const { id, secret } = await registry.addToken(account)
      const authorization = await signed(registry, 'repository:team/app:pull', basic(name, secret))
      const status = async (): Promise<number> =>
        (await registry.ask('GET', path, { authorization })).status
      expect(await status()).toBe(404)
      await change(account.id, id, grant)
      expect(await status()).toBe(401)
    }
    const { database } = registry
    await lose('one', (id) =>
      database.transaction((tx) => changeAccount(tx, id, { isDisabled: true }, 1)),
    )
    await lose('two', (id) => database.transaction((tx) => deleteAccount(tx, id)))
    await lose('three', (id, token) => database.transaction((tx) => deleteToken(tx, id, token)))
    await lose('four', async (id) => {
      // Another account of the same name is not the one that had the token.
      await database.transaction((tx) => deleteAccount(tx, id))
      const again = await registry.addAccount('four', { clear: password })
      await registry.grant(again, 'team/*', ['pull'])
    })
  })

  it('cuts what a token may do down to its scopes and its time', async () => {
    await using registry = await openAccountsRegistry()
    const ayse = await registry.addAccount('ayse', { isAdmin: true })
    const { secret } = await registry.addToken(ayse, {
      scopes: [{ pattern: 'team/*', actions: ['pull'] }],
      expiresAt: Date.parse('2026-01-01T01:00:00Z'),
    })
    const status = async (method: string, path: string): Promise<number> =>
      (await registry.ask(method, path, { authorization: basic('ayse', secret) })).status
    expect(await status('GET', '/v2/team/app/tags/list')).toBe(404)
    expect(await status('GET', '/v2/other/app/tags/list')).toBe(403)
    expect(await status('POST', '/v2/team/app/blobs/uploads/')).toBe(403)
    registry.wait(3600_000)
    expect(await status('GET', '/v2/team/app/tags/list')).toBe(401)
  })

  it('stops those who guess, but not those who know', async () => {
    await using registry = await openAccountsRegistry()
    const ayse = await registry.addAccount('ayse', { clear: password })
    const { secret } = await registry.addToken(ayse)
    const status = async (user: string, clear: string, client = '192.0.2.1'): Promise<number> =>
      (await registry.ask('GET', '/v2/', { authorization: basic(user, clear), client })).status
    expect(await status('ayse', password)).toBe(200)
    for (let index = 0; index < 20; index += 1) {
      expect(await status(index % 2 === 0 ? 'ayse' : 'nobody', `guess ${index}`)).toBe(401)
    }
    const refused = await registry.ask('GET', '/v2/', { authorization: basic('ayse', 'guess') })
    expect(refused.status).toBe(429)
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
    expect(await status('ayse', secret)).toBe(200)
    expect(await status('ayse', password)).toBe(200)
    expect(await status('ayse', password, '192.0.2.2')).toBe(200)
    registry.wait(300_000)
    expect(await status('ayse', 'guess')).toBe(401)
    const audit = await queryAudit(registry.database, { action: 'login', limit: 100 })
    expect(audit).toHaveLength(21)
    expect(audit[0]).toMatchObject({ client: '192.0.2.1', result: 'refused', actor: undefined })
    expect(JSON.stringify(audit)).not.toContain('guess')
  })

  it('tells nobody which private repositories and which accounts exist', async () => {
    await using registry = await openAccountsRegistry()
    const ayse = await registry.addAccount('ayse', { clear: password })
    await registry.addAccount('baris', { clear: password })
    await registry.grant(ayse, 'secret/*', ['push'])
    const opened = await registry.ask('POST', '/v2/secret/app/blobs/uploads/', {
      authorization: basic('ayse', password),
    })
    expect(opened.status).toBe(202)
    for (const authorization of [undefined, basic('baris', password)]) {
      for (const [method, suffix] of [
        ['GET', 'manifests/1'],
        ['PUT', 'manifests/1'],
        ['DELETE', 'manifests/1'],
        ['GET', 'tags/list'],
        ['POST', 'blobs/uploads/'],
      ] as const) {
        const [there, missing] = await Promise.all(
          ['secret/app', 'secret/ppa'].map((name) =>
            registry.ask(method, `/v2/${name}/${suffix}`, { authorization }),
          ),
        )
        expect(there?.status).toBe(authorization === undefined ? 401 : 403)
        expect([missing?.status, missing?.text]).toEqual([there?.status, there?.text])
      }
    }
    const [known, unknown] = await Promise.all(
      ['ayse', 'nobody'].map((user) =>
        registry.ask('GET', '/token', { authorization: basic(user, 'wrong') }),
      ),
    )
    expect([unknown?.status, unknown?.text, unknown?.headers]).toEqual([
      known?.status,
      known?.text,
      known?.headers,
    ])
  })

  it('lets those open a namespace who may, and only while it is nobody’s', async () => {
    await using registry = await openAccountsRegistry()
    await registry.addAccount('ayse', { clear: password, mayCreate: true })
    await registry.addAccount('baris', { clear: password })
    const status = async (user: string, name: string): Promise<number> =>
      (
        await registry.ask('POST', `/v2/${name}/blobs/uploads/?digest=${digestOf('x')}`, {
          authorization: basic(user, password),
          body: 'x',
        })
      ).status
    expect(await status('baris', 'fresh/app')).toBe(403)
    expect(await status('ayse', 'app')).toBe(403)
    await registry.database.run('INSERT INTO namespaces (name, created_at) VALUES (?, ?)', [
      'taken',
      1,
    ])
    expect(await status('ayse', 'taken/app')).toBe(403)
    // Clients look first what is there.
    const look = { authorization: basic('ayse', password) }
    expect((await registry.ask('GET', '/v2/fresh/app/tags/list', look)).status).toBe(404)
    expect(await status('ayse', 'fresh/app')).toBe(201)
    // From here on it is theirs, and nobody else may open it.
    await registry.addAccount('cem', { clear: password, mayCreate: true })
    expect(await status('cem', 'fresh/other')).toBe(403)
    expect(await status('ayse', 'fresh/other')).toBe(201)
    const audit = await queryAudit(registry.database, { action: 'repository', limit: 9 })
    expect(audit.map(({ actor, target }) => `${actor} ${target}`)).toEqual([
      'ayse fresh/other',
      'ayse fresh/app',
    ])
  })
})

async function signed(
  registry: AccountsRegistry,
  scope: string,
  authorization: string,
): Promise<string> {
  const answer = await registry.ask('GET', `/token?scope=${scope}`, { authorization })
  expect(answer.status).toBe(200)
  return `Bearer ${answer.document.token}`
}
