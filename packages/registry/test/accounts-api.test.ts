import { describe, expect, it } from 'vitest'
import { type AccountsRegistry, basic, openAccountsRegistry } from './accounts.ts'

const password = 'correct horse'

interface Api extends AsyncDisposable {
  readonly registry: AccountsRegistry
  /** Asks as somebody with that name and the password, or with an `Authorization` header. */
  as(
    who: string,
    method: string,
    path: string,
    body?: object,
  ): Promise<{
    readonly status: number
    // oxlint-disable-next-line typescript/no-explicit-any -- tests look into it as they please
    readonly document: any
    readonly headers: Readonly<Record<string, string>>
  }>
}

async function openApi(): Promise<Api> {
  const registry = await openAccountsRegistry()
  await registry.addAccount('root', { clear: password, isAdmin: true })
  const as: Api['as'] = (who, method, path, body) =>
    registry.ask(method, `/api/v1/${path}`, {
      authorization: who.includes(' ') ? who : basic(who, password),
      ...(body === undefined ? {} : { body, headers: { 'content-type': 'application/json' } }),
    })
  for (const name of ['ayse', 'baris', 'cem']) {
    expect((await as('root', 'POST', 'accounts', { name, password })).status).toBe(201)
  }
  return { registry, as, [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose]() }
}

describe('the administration API', () => {
  it('makes accounts with a namespace of their own', async () => {
    await using api = await openApi()
    expect((await api.as('ayse', 'GET', 'whoami')).document).toMatchObject({
      name: 'ayse',
      is_admin: false,
      has_password: true,
    })
    expect((await api.as('ayse', 'GET', 'namespaces')).document.namespaces).toMatchObject([
      { name: 'ayse', role: 'owner' },
    ])
    const page = await api.as('root', 'GET', 'accounts?n=2')
    expect(page.document.accounts.map(({ name }: { name: string }) => name)).toEqual([
      'ayse',
      'baris',
    ])
    const next = /<\/api\/v1\/([^>]*)>/.exec(page.headers['link'] ?? '')?.[1] ?? ''
    expect((await api.as('root', 'GET', next)).document.accounts).toHaveLength(2)
    expect(
      (await api.as('root', 'PATCH', 'accounts/ayse', { is_disabled: true })).document,
    ).toMatchObject({ is_disabled: true })
    expect((await api.as('ayse', 'GET', 'whoami')).status).toBe(401)
    expect((await api.as('root', 'DELETE', 'accounts/ayse')).status).toBe(204)
    expect((await api.as('root', 'GET', 'accounts/ayse')).status).toBe(404)
    expect((await api.as('root', 'DELETE', 'accounts/root')).status).toBe(409)
  })

  it('gives tokens once, and lists and takes them back without showing them', async () => {
    await using api = await openApi()
    const made = await api.as('ayse', 'POST', 'accounts/ayse/tokens', {
      name: 'laptop',
      scopes: [{ repository: 'ayse/*', actions: ['push'] }],
      expires_in: 3600,
    })
    expect(made.status).toBe(201)
    const { token, id } = made.document
    expect(made.document).toMatchObject({ expires_at: '2026-01-01T01:00:00.000Z' })
    const listed = await api.as('ayse', 'GET', 'accounts/ayse/tokens')
    expect(listed.document.tokens).toMatchObject([
      { id, name: 'laptop', scopes: [{ repository: 'ayse/*', actions: ['pull', 'push'] }] },
    ])
    expect(JSON.stringify(listed.document)).not.toContain(token)
    expect((await api.as(`Bearer ${token}`, 'GET', 'whoami')).status).toBe(200)
    // A token that was cut down makes no other one.
    expect(
      (await api.as(`Bearer ${token}`, 'POST', 'accounts/ayse/tokens', { name: 'x' })).status,
    ).toBe(403)
    expect((await api.as('baris', 'DELETE', `accounts/ayse/tokens/${id}`)).status).toBe(403)
    expect((await api.as('ayse', 'DELETE', `accounts/ayse/tokens/${id}`)).status).toBe(204)
    expect((await api.as(`Bearer ${token}`, 'GET', 'whoami')).status).toBe(401)
  })

  it('make nothing that lasts out of what ends soon', async () => {
    await using api = await openApi()
    const { registry } = api
    const dilek = await registry.addAccount('dilek')
    const hour = Date.parse('2026-01-01T01:00:00Z')
    const { secret } = await registry.addToken(dilek, { kind: 'login', expiresAt: hour })
    const login = `Bearer ${secret}`
    for (const more of [{}, { expires_in: 7200 }]) {
      const made = await api.as(login, 'POST', 'accounts/dilek/tokens', { name: 'x', ...more })
      expect(made.document).toMatchObject({ expires_at: '2026-01-01T01:00:00.000Z' })
    }
    const shorter = { name: 'x', expires_in: 60 }
    expect((await api.as(login, 'POST', 'accounts/dilek/tokens', shorter)).document).toMatchObject({
      expires_at: '2026-01-01T00:01:00.000Z',
    })
    const put = (who: string): Promise<{ readonly status: number }> =>
      api.as(who, 'PUT', 'accounts/dilek/password', { password: 'my first one' })
    expect((await put(login)).status).toBe(403)
    const lasting = await registry.addToken(dilek)
    expect((await put(`Bearer ${lasting.secret}`)).status).toBe(204)
  })

  it('changes a password only with the one of now, except for administrators', async () => {
    await using api = await openApi()
    const put = (who: string, body: object): Promise<{ readonly status: number }> =>
      api.as(who, 'PUT', 'accounts/ayse/password', body)
    expect((await put('ayse', { password: 'another one' })).status).toBe(400)
    expect((await put('baris', { password: 'another one', current: password })).status).toBe(403)
    expect((await put('ayse', { password: 'short', current: password })).status).toBe(400)
    expect((await put('ayse', { password: 'another one', current: password })).status).toBe(204)
    expect((await api.as('ayse', 'GET', 'whoami')).status).toBe(401)
    expect((await put('root', { password })).status).toBe(204)
    expect((await api.as('ayse', 'GET', 'whoami')).status).toBe(200)
    // Nobody tries one password after the other, from many addresses or one.
    for (let tried = 1; tried < 20; tried += 1) {
      expect((await put('ayse', { password, current: 'a guess' })).status).toBe(400)
    }
    expect((await put('ayse', { password, current: password })).status).toBe(429)
    api.registry.wait(5 * 60_000)
    expect((await put('ayse', { password, current: password })).status).toBe(204)
  })

  it('makes robots that do what they were granted and nothing else', async () => {
    await using api = await openApi()
    const grants = [{ repository: 'ayse/app', actions: ['push'] }]
    const made = await api.as('ayse', 'POST', 'robots', { name: 'ayse+ci', grants })
    expect(made.status).toBe(201)
    const robot = basic('ayse+ci', made.document.token)
    const upload = async (repository: string): Promise<number> =>
      (await api.registry.ask('POST', `/v2/${repository}/blobs/uploads/`, { authorization: robot }))
        .status
    expect(await upload('ayse/app')).toBe(202)
    expect(await upload('ayse/other')).toBe(403)
    for (const [method, path, body] of [
      ['POST', 'accounts/ayse+ci/tokens', { name: 'more' }],
      ['GET', 'accounts/ayse+ci/tokens'],
      [
        'POST',
        'grants',
        { subject: { account: 'ayse+ci' }, repository: 'ayse/**', actions: ['admin'] },
      ],
      ['POST', 'robots', { name: 'ayse+two' }],
      ['PUT', 'namespaces/ayse/members/cem', { role: 'owner' }],
      ['GET', 'audit'],
      ['GET', 'accounts'],
    ] as const) {
      expect((await api.as(robot, method, path, body)).status, path).toBe(403)
    }
    expect((await api.as(robot, 'GET', 'whoami')).document).toMatchObject({ kind: 'robot' })
    const second = await api.as('ayse', 'POST', 'accounts/ayse+ci/tokens', { name: 'second' })
    expect(second.status).toBe(201)
    expect((await api.as('ayse', 'GET', 'robots?namespace=ayse')).document.robots).toMatchObject([
      { name: 'ayse+ci' },
    ])
    expect((await api.as('ayse', 'PATCH', 'robots/ayse+ci', { is_disabled: true })).status).toBe(
      200,
    )
    expect(await upload('ayse/app')).toBe(401)
    expect((await api.as('ayse', 'DELETE', 'robots/ayse+ci')).status).toBe(204)
  })

  it('has namespaces with members of four roles', async () => {
    await using api = await openApi()
    expect((await api.as('ayse', 'POST', 'namespaces', { name: 'team' })).status).toBe(403)
    await api.as('root', 'PATCH', 'accounts/ayse', { may_create: true })
    expect((await api.as('ayse', 'POST', 'namespaces', { name: 'team' })).status).toBe(201)
    expect((await api.as('root', 'POST', 'namespaces', { name: 'team' })).status).toBe(409)
    expect((await api.as('ayse', 'POST', 'namespaces', { name: 'library' })).status).toBe(403)
    expect(
      (await api.as('ayse', 'PUT', 'namespaces/team/members/baris', { role: 'guest' })).status,
    ).toBe(200)
    expect((await api.as('baris', 'GET', 'namespaces/team/members')).document.members).toEqual([
      { account: 'ayse', role: 'owner' },
      { account: 'baris', role: 'guest' },
    ])
    expect((await api.as('cem', 'GET', 'namespaces/team/members')).status).toBe(403)
    expect((await api.as('cem', 'GET', 'namespaces/nothing/members')).status).toBe(403)
    expect((await api.as('ayse', 'DELETE', 'namespaces/team/members/baris')).status).toBe(204)
    expect((await api.as('ayse', 'DELETE', 'namespaces/team')).status).toBe(204)
  })

  it('lets owners open their repositories to everybody, for reading', async () => {
    await using api = await openApi()
    const list = async (): Promise<number> =>
      (await api.registry.ask('GET', '/v2/ayse/app/tags/list')).status
    expect(await list()).toBe(401)
    const put = (visibility: string): Promise<{ readonly status: number }> =>
      api.as('ayse', 'PUT', 'repositories/ayse/app/visibility', { visibility })
    expect((await put('public')).status).toBe(200)
    expect(await list()).toBe(404)
    expect((await api.registry.ask('POST', '/v2/ayse/app/blobs/uploads/')).status).toBe(401)
    expect(
      (await api.as('ayse', 'GET', 'repositories/ayse/app/visibility')).document,
    ).toMatchObject({
      visibility: 'public',
    })
    expect((await put('private')).status).toBe(200)
    expect(await list()).toBe(401)
    // What everybody may pull by a wider grant is not said to be private.
    const wide = { subject: 'anonymous', repository: 'ayse/*', actions: ['pull'] }
    const { id } = (await api.as('ayse', 'POST', 'grants', wide)).document
    await put('public')
    const refused = await api.as('ayse', 'PUT', 'repositories/ayse/app/visibility', {
      visibility: 'private',
    })
    expect(refused.status).toBe(409)
    expect(JSON.stringify(refused.document)).toContain('ayse/*')
    expect(await list()).toBe(404)
    await api.as('ayse', 'DELETE', `grants/${id}`)
    expect((await put('private')).status).toBe(200)
    expect(await list()).toBe(401)
    const anonymous = { subject: 'anonymous', repository: 'ayse/app', actions: ['push'] }
    expect((await api.as('ayse', 'POST', 'grants', anonymous)).status).toBe(400)
  })

  it('raises nobody’s rights by their own hand', async () => {
    await using api = await openApi()
    await api.as('root', 'POST', 'grants', {
      subject: { account: 'cem' },
      repository: 'tools/*',
      actions: ['admin'],
    })
    await api.as('root', 'POST', 'grants', {
      subject: { account: 'cem' },
      repository: 'library/**',
      actions: ['admin'],
    })
    const id = (
      await api.as('root', 'POST', 'grants', {
        subject: { account: 'baris' },
        repository: 'ayse/app',
        actions: ['pull'],
      })
    ).document.id
    const attempts: readonly (readonly [string, string, string, object?])[] = [
      // Harbor's CVE-2019-16097: an account that makes itself administrator.
      ['baris', 'POST', 'accounts', { name: 'mine', password, is_admin: true }],
      ['baris', 'PATCH', 'accounts/baris', { is_admin: true }],
      ['baris', 'PATCH', 'accounts/baris', { may_create: true }],
      // CVE-2019-16919: a robot in a namespace of others; CVE-2022-31667 and the like: objects of others.
      ['baris', 'POST', 'robots', { name: 'ayse+evil' }],
      [
        'baris',
        'POST',
        'robots',
        { name: 'baris+evil', grants: [{ repository: 'ayse/*', actions: ['pull'] }] },
      ],
      [
        'baris',
        'POST',
        'robots',
        { name: 'baris+evil', grants: [{ repository: '**', actions: ['pull'] }] },
      ],
      [
        'baris',
        'POST',
        'robots',
        { name: 'baris+evil', grants: [{ repository: '*/app', actions: ['pull'] }] },
      ],
      ['baris', 'GET', 'robots?namespace=ayse'],
      ['baris', 'GET', 'robots'],
      ['baris', 'DELETE', 'robots/ayse+ci'],
      ['baris', 'POST', 'accounts/ayse/tokens', { name: 'mine' }],
      ['root', 'POST', 'accounts/ayse/tokens', { name: 'mine' }],
      ['baris', 'GET', 'accounts/ayse/tokens'],
      ['baris', 'GET', 'accounts/ayse'],
      ['baris', 'GET', 'accounts/nobody'],
      // CVE-2019-19023: one who raises what it has.
      [
        'baris',
        'POST',
        'grants',
        { subject: { account: 'baris' }, repository: 'ayse/app', actions: ['push'] },
      ],
      ['baris', 'POST', 'grants', { subject: 'everyone', repository: '**', actions: ['pull'] }],
      ['baris', 'DELETE', `grants/${id}`],
      [
        'cem',
        'POST',
        'grants',
        { subject: { account: 'cem' }, repository: 'tools/**', actions: ['pull'] },
      ],
      [
        'cem',
        'POST',
        'grants',
        { subject: { account: 'cem' }, repository: '*/*', actions: ['pull'] },
      ],
      [
        'cem',
        'POST',
        'grants',
        { subject: { account: 'cem' }, repository: '**', actions: ['admin'] },
      ],
      ['baris', 'PUT', 'namespaces/ayse/members/baris', { role: 'owner' }],
      ['baris', 'DELETE', 'namespaces/ayse/members/ayse'],
      ['baris', 'DELETE', 'namespaces/ayse'],
      ['baris', 'PUT', 'repositories/ayse/app/visibility', { visibility: 'public' }],
      ['baris', 'GET', 'audit'],
      ['baris', 'DELETE', 'audit?until=2030-01-01'],
    ]
    for (const [who, method, path, body] of attempts) {
      const { status } = await api.as(who, method, path, body)
      expect(status, `${who} ${method} ${path} ${JSON.stringify(body)}`).toBe(403)
    }
    const shown = (await api.as('baris', 'GET', 'grants')).document.grants
    expect(shown).toEqual([])
    const own = { subject: { account: 'baris' }, repository: 'tools/x', actions: ['push'] }
    expect((await api.as('cem', 'POST', 'grants', own)).status).toBe(201)
  })

  it('takes JSON with known keys from no other site, and says which key is wrong without its value', async () => {
    await using api = await openApi()
    const { registry } = api
    const ask = (
      headers: Record<string, string>,
      body: string | object,
    ): ReturnType<AccountsRegistry['ask']> =>
      registry.ask('POST', '/api/v1/accounts', {
        authorization: basic('root', password),
        headers,
        body,
      })
    const type = { 'content-type': 'application/json' }
    const account = { name: 'new', password: 'long enough' }
    expect((await ask({ 'content-type': 'text/plain' }, account)).status).toBe(415)
    expect((await ask({ ...type, 'sec-fetch-site': 'cross-site' }, account)).status).toBe(403)
    expect((await ask(type, '{')).status).toBe(400)
    expect((await ask(type, 'x'.repeat(70_000))).status).toBe(413)
    expect((await ask(type, { ...account, admin: true })).text).toContain('admin')
    const bad = await ask(type, { name: 'new', password: 'hunter2' })
    expect([bad.status, bad.text.includes('hunter2'), bad.text.includes('password')]).toEqual([
      400,
      false,
      true,
    ])
    expect((await ask(type, { ...account, name: '../x' })).status).toBe(400)
    expect((await registry.ask('GET', '/api/v1/accounts')).status).toBe(401)
    expect((await api.as('root', 'PUT', 'accounts')).status).toBe(405)
    expect((await api.as('root', 'GET', 'nothing')).status).toBe(404)
    expect((await api.as('root', 'GET', 'accounts/%zz')).status).toBe(400)
  })

  it('writes down who did what, and who tried', async () => {
    await using api = await openApi()
    await api.as('baris', 'POST', 'robots', { name: 'ayse+evil' })
    await api.as('root', 'PUT', 'accounts/ayse/password', { password: 'new and secret' })
    const { entries } = (await api.as('root', 'GET', 'audit?n=2')).document
    expect(entries).toMatchObject([
      {
        actor: 'root',
        action: 'account.password',
        target: 'ayse',
        result: 'done',
        client: '192.0.2.1',
      },
      { actor: 'baris', action: 'api.post', target: '/api/v1/robots', result: 'refused' },
    ])
    expect(JSON.stringify(entries)).not.toContain('new and secret')
    expect(
      (await api.as('root', 'GET', 'audit?action=account.create')).document.entries,
    ).toHaveLength(3)
    expect((await api.as('root', 'GET', 'audit?since=yesterday')).status).toBe(400)
    expect(
      (await api.as('root', 'DELETE', 'audit?until=2030-01-01')).document.removed,
    ).toBeGreaterThan(4)
    expect((await api.as('root', 'GET', 'audit')).document.entries).toMatchObject([
      { action: 'audit.cut' },
    ])
  })
})
