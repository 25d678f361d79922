import { describe, expect, it, vi } from 'vitest'
import {
  changeAccount,
  createAccount,
  deleteAccount,
  findAccountBySubject,
  listAccounts,
  setPassword,
} from '../src/accounts/account-store.ts'
import { cutAudit, queryAudit, writeAudit } from '../src/accounts/audit-log.ts'
import { makeFirstRunToken } from '../src/accounts/first-run.ts'
import {
  deleteGrant,
  findGrant,
  listGrants,
  makePrivate,
  setGrant,
  type Subject,
} from '../src/accounts/grant-store.ts'
import {
  createNamespace,
  deleteMember,
  deleteNamespace,
  findNamespace,
  listMembers,
  listNamespaces,
  requireFewOwned,
  setMember,
} from '../src/accounts/namespace-store.ts'
import { openNamespaces } from '../src/accounts/open-namespace.ts'
import { RightsReader } from '../src/accounts/rights-reader.ts'
import { isAllowed, isPublic } from '../src/accounts/rights.ts'
import { SignedTokens } from '../src/accounts/signed-token.ts'
import { SigningKeys } from '../src/accounts/signing-keys.ts'
import {
  createToken,
  deleteToken,
  dropOldTokens,
  findToken,
  findTokenBySecret,
  listTokens,
} from '../src/accounts/token-store.ts'
import { getWebhook, listWebhooks, putWebhook } from '../src/events/webhook-store.ts'
import { type Database, migrate, type Transaction } from '../src/index.ts'
import type { OpenDatabase } from './databases.ts'

const day = 24 * 3600_000

/** What the tables of accounts promise, on whatever engine. */
export function accountStoreSuite(title: string, open: OpenDatabase): void {
  async function openTables(): Promise<Database> {
    const database = await open()
    await migrate(database)
    return database
  }

  describe(`accounts in ${title}`, () => {
    it('have one name each, and pages', async () => {
      await using database = await openTables()
      const add = (name: string, more: object = {}): Promise<unknown> =>
        database.transaction((tx) => createAccount(tx, { name, kind: 'person', ...more }, 5))
      for (const name of ['c', 'a', 'b']) await add(name)
      await expect(add('a')).rejects.toMatchObject({ status: 409 })
      await add('team+ci', { kind: 'robot', namespace: 'team' })
      await add('sso', { issuer: 'https://id.test', subject: '42' })
      const names = async (last: string): Promise<readonly string[]> =>
        (await listAccounts(database, 'person', { last, limit: 2 })).map(({ name }) => name)
      expect(await names('')).toEqual(['a', 'b'])
      expect(await names('b')).toEqual(['c', 'sso'])
      const robots = await listAccounts(database, 'robot', { namespace: 'team', limit: 10 })
      expect(robots.map(({ name }) => name)).toEqual(['team+ci'])
      expect(await findAccountBySubject(database, 'https://id.test', '42')).toMatchObject({
        name: 'sso',
        hasPassword: false,
        createdAt: 5,
      })
      expect(await findAccountBySubject(database, 'https://id.test', '43')).toBeUndefined()
    })

    it('never lose their last administrator', async () => {
      await using database = await openTables()
      expect(await makeFirstRunToken(database, 1)).toMatchObject({ account: 'admin' })
      expect(await makeFirstRunToken(database, 2)).toBeUndefined()
      const [admin] = await listAccounts(database, 'person', { limit: 1 })
      const id = admin?.id ?? 0
      for (const change of [{ isAdmin: false }, { isDisabled: true }]) {
        await expect(
          database.transaction((tx) => changeAccount(tx, id, change, 3)),
        ).rejects.toMatchObject({ status: 409 })
      }
      await expect(database.transaction((tx) => deleteAccount(tx, id))).rejects.toMatchObject({
        status: 409,
      })
      const other = await database.transaction((tx) =>
        createAccount(tx, { name: 'other', kind: 'person', isAdmin: true }, 3),
      )
      await database.transaction((tx) => deleteAccount(tx, id))
      expect(other.isAdmin).toBe(true)
    })

    it('have tokens that end, with all that was got by them', async () => {
      await using database = await openTables()
      const { id } = await database.transaction((tx) =>
        createAccount(tx, { name: 'ayse', kind: 'person' }, 1),
      )
      const scopes = [{ pattern: 'team/*', actions: ['pull'] }] as const
      const token = { accountID: id, kind: 'personal', name: 'laptop', scopes } as const
      const one = await createToken(database, { ...token, expiresAt: 100 }, 1)
      const child = await createToken(database, { ...token, kind: 'refresh', parent: one.id }, 1)
      expect(await findTokenBySecret(database, one.secret, 99)).toMatchObject({ scopes })
      expect(await findTokenBySecret(database, one.secret, 100)).toBeUndefined()
      expect((await listTokens(database, id)).map((found) => found.id)).toEqual([one.id])
      expect(await dropOldTokens(database, 100 + day)).toBe(0)
      expect(await database.transaction((tx) => deleteToken(tx, id, one.id))).toBe(true)
      expect(await database.transaction((tx) => deleteToken(tx, id, one.id))).toBe(false)
      expect(await findTokenBySecret(database, child.secret, 2)).toBeUndefined()
      await createToken(database, { ...token, expiresAt: 100 }, 1)
      expect(await dropOldTokens(database, 101 + day)).toBe(1)
    })

    it('have so many grants and namespaces at the most', async () => {
      await using database = await openTables()
      const { id } = await database.transaction((tx) =>
        createAccount(tx, { name: 'ayse', kind: 'person' }, 1),
      )
      const grant = (tx: Transaction, pattern: string, who: Subject): Promise<number> =>
        setGrant(tx, { subject: who, pattern, actions: ['pull'], createdBy: 'x' }, 1)
      const [own, all] = [{ kind: 'account', id }, { kind: 'anonymous' }] as const
      await database.transaction(async (tx) => {
        for (let at = 0; at < 1000; at += 1) {
          await grant(tx, `team/a${at}`, own)
          await grant(tx, `team/a${at}`, all)
          await grant(tx, `team/a${at}*`, all)
        }
        for (let at = 0; at < 100; at += 1) {
          await createNamespace(tx, { name: `own${at}`, createdBy: 'ayse' }, 1)
          await setMember(tx, `own${at}`, { accountID: id, role: 'owner' })
          if (at === 98) await requireFewOwned(tx, id)
        }
      })
      const one = (pattern: string, who: Subject): Promise<number> =>
        database.transaction((tx) => grant(tx, pattern, who))
      await expect(one('team/more', own)).rejects.toMatchObject({ status: 409 })
      await expect(one('team/more*', all)).rejects.toMatchObject({ status: 409 })
      // Names that are public by themselves are found at once; what is there may be given again.
      for (const [pattern, who] of [
        ['team/more', all],
        ['team/a1', own],
        ['team/x*', own],
        ['team0/x', own],
        ['tea/x', own],
      ] as const) {
        expect(await one(pattern, who)).toBeGreaterThan(0)
      }
      await expect(requireFewOwned(database, id)).rejects.toMatchObject({ status: 409 })
    })

    it('get no token that outlives the one by which they got it', async () => {
      await using database = await openTables()
      const { id } = await database.transaction((tx) =>
        createAccount(tx, { name: 'ayse', kind: 'person' }, 1),
      )
      const token = { accountID: id, kind: 'login', name: 'login' } as const
      const make = (
        more: object,
        now: number,
      ): Promise<{ readonly id: string; readonly secret: string }> =>
        database.transaction((tx) => createToken(tx, { ...token, ...more }, now))
      const endOf = async (secret: string): Promise<number | undefined> =>
        (await findTokenBySecret(database, secret, 2))?.expiresAt

      const one = await make({ kind: 'personal', expiresAt: 100 }, 1)
      const two = await make({ parent: one.id, expiresAt: 60 }, 1)
      const three = await make({ parent: two.id, expiresAt: 5000 }, 2)
      const four = await make({ kind: 'refresh', parent: three.id, expiresAt: 5000 }, 2)
      const five = await make({ kind: 'refresh', parent: one.id }, 2)
      expect(
        await Promise.all([two, three, four, five].map(({ secret }) => endOf(secret))),
      ).toEqual([60, 60, 60, 100])
      await expect(make({ parent: three.id }, 60)).rejects.toMatchObject({ status: 401 })
      await database.transaction((tx) => deleteToken(tx, id, one.id))
      for (const { secret } of [two, three, four, five]) {
        expect(await findTokenBySecret(database, secret, 2)).toBeUndefined()
      }
      await expect(make({ parent: two.id }, 3)).rejects.toMatchObject({ status: 401 })

      // The oldest login makes room for the newest, and takes along what was got by it.
      const first = await make({}, 1)
      const late = await make({ kind: 'refresh', parent: first.id }, 2)
      expect(await findToken(database, late.id, 2)).toBeDefined()
      for (let at = 0; at < 100; at += 1) await make({}, 10 + at)
      expect(await findToken(database, first.id, 2)).toBeUndefined()
      expect(await findToken(database, late.id, 2)).toBeUndefined()
      const last = await make({ kind: 'personal' }, 200)
      await database.transaction((tx) => setPassword(tx, id, 'hash', 3))
      expect((await listTokens(database, id)).map((found) => found.id)).toEqual([last.id])
    })

    it('have so many tokens at the most', async () => {
      await using database = await openTables()
      const { id } = await database.transaction((tx) =>
        createAccount(tx, { name: 'ayse', kind: 'person' }, 1),
      )
      await database.transaction(async (tx) => {
        for (const kind of ['refresh', 'personal'] as const) {
          for (let at = 0; at < (kind === 'refresh' ? 100 : 1000); at += 1) {
            await createToken(tx, { accountID: id, kind, name: `${kind} ${at}` }, at)
          }
        }
      })
      const left = async (kind: string): Promise<unknown> =>
        database.get(
          'SELECT count(*) AS count, min(created_at) AS oldest FROM access_tokens WHERE kind = ?',
          [kind],
        )
      await createToken(database, { accountID: id, kind: 'refresh', name: 'one more' }, 1000)
      expect(await left('refresh')).toEqual({ count: 100, oldest: 1 })
      await expect(
        createToken(database, { accountID: id, kind: 'personal', name: 'one more' }, 1000),
      ).rejects.toMatchObject({ status: 409 })
      expect(await left('personal')).toEqual({ count: 1000, oldest: 0 })
    })

    it('have rights by role, by grant and as everybody', async () => {
      await using database = await openTables()
      let now = 1
      const reader = new RightsReader(database, () => now)
      const { id } = await database.transaction((tx) =>
        createAccount(tx, { name: 'ayse', kind: 'person' }, 1),
      )
      const may = async (repository: string, action: 'pull' | 'push'): Promise<boolean> => {
        now += 60_000
        const holder = await reader.holder(id)
        return holder !== undefined && isAllowed(holder.rights, undefined, repository, action)
      }
      expect(await may('team/app', 'pull')).toBe(false)
      await database.transaction(async (tx) => {
        await createNamespace(tx, { name: 'team', createdBy: undefined }, 1)
        await setMember(tx, 'team', { accountID: id, role: 'guest' })
      })
      expect([await may('team/app', 'pull'), await may('team/app', 'push')]).toEqual([true, false])
      await database.transaction((tx) =>
        setMember(tx, 'team', { accountID: id, role: 'developer' }),
      )
      expect(await may('team/app', 'push')).toBe(true)
      expect(await listMembers(database, 'team')).toEqual([{ account: 'ayse', role: 'developer' }])
      expect(await listNamespaces(database, { accountID: id, limit: 9 })).toMatchObject([
        { name: 'team' },
      ])
      await database.transaction((tx) => deleteMember(tx, 'team', id))
      expect(await may('team/app', 'pull')).toBe(false)

      const grant = (subject: object, pattern: string): Promise<number> =>
        database.transaction((tx) =>
          setGrant(
            tx,
            { subject: subject as never, pattern, actions: ['push'], createdBy: 'admin' },
            1,
          ),
        )
      const first = await grant({ kind: 'account', id }, 'team/*')
      expect(await grant({ kind: 'account', id }, 'team/*')).toBe(first)
      expect(await findGrant(database, first)).toMatchObject({
        account: 'ayse',
        actions: ['pull', 'push'],
      })
      await grant({ kind: 'everyone' }, 'shared/**')
      await grant({ kind: 'anonymous' }, 'open/app')
      expect((await listGrants(database, { limit: 10 })).map(({ pattern }) => pattern)).toEqual([
        'team/*',
        'shared/**',
        'open/app',
      ])
      expect([await may('team/app', 'push'), await may('shared/a/b', 'push')]).toEqual([true, true])
      expect([await may('open/app', 'pull'), await may('open/app', 'push')]).toEqual([true, false])
      expect(isPublic((await reader.anonymous()).anonymous, 'open/app')).toBe(true)
      await database.transaction((tx) => deleteGrant(tx, first))
      await database.transaction((tx) => makePrivate(tx, 'open/app'))
      expect([await may('team/app', 'pull'), await may('open/app', 'pull')]).toEqual([false, false])
    })

    it('have a new right at once where they would be refused, and lose an old one within seconds', async () => {
      await using database = await openTables()
      let now = 1
      // As a replica on PostgreSQL reads, which does not ask each time.
      const replica: Database = {
        engine: 'postgres',
        all: (sql, values) => database.all(sql, values),
        get: (sql, values) => database.get(sql, values),
        run: (sql, values) => database.run(sql, values),
        transaction: (work, options) => database.transaction(work, options),
        close: () => database.close(),
        [Symbol.asyncDispose]: () => database.close(),
      }
      const reader = new RightsReader(replica, () => now)
      const { id } = await database.transaction((tx) =>
        createAccount(tx, { name: 'ayse', kind: 'person' }, 1),
      )
      const may = async (): Promise<boolean> => {
        const holder = await reader.holder(id)
        return holder !== undefined && isAllowed(holder.rights, undefined, 'team/app', 'pull')
      }
      expect(await may()).toBe(false)
      const grant = await database.transaction((tx) =>
        setGrant(
          tx,
          {
            subject: { kind: 'account', id },
            pattern: 'team/*',
            actions: ['pull'],
            createdBy: undefined,
          },
          1,
        ),
      )
      expect(await may()).toBe(false)
      expect(await reader.renew()).toBe(true)
      expect(await may()).toBe(true)
      expect(await reader.renew()).toBe(false)
      await database.transaction((tx) => deleteGrant(tx, grant))
      expect(await may()).toBe(true)
      now += 10_000
      expect(await may()).toBe(false)
    })

    it('open a namespace by the first push; the second one to do so is refused', async () => {
      await using database = await openTables()
      for (const name of ['ayse', 'baris']) {
        await database.transaction((tx) =>
          createAccount(tx, { name, kind: 'person', mayCreate: true }, 1),
        )
      }
      const push = (actor: string | undefined, name: string): Promise<void> => {
        const repository = { id: 1, name, namespace: name.split('/')[0] ?? '' }
        return database.transaction((tx) =>
          openNamespaces(tx, { kind: 'repository-created', repository, actor, at: 1 }),
        )
      }
      await push('ayse', 'team/app')
      expect(await listMembers(database, 'team')).toEqual([{ account: 'ayse', role: 'owner' }])
      await push('ayse', 'team/other')
      await expect(push('baris', 'team/third')).rejects.toMatchObject({ status: 403 })
      await push(undefined, 'mirror/app')
      expect(await findNamespace(database, 'mirror')).toBeDefined()
      await expect(push('baris', 'mirror/app2')).rejects.toMatchObject({ status: 403 })
      expect(
        await database.transaction((tx) =>
          createNamespace(tx, { name: 'mirror', createdBy: 'baris' }, 1),
        ),
      ).toBe(false)
      for (const pattern of ['mirror/app', 'mirrors/app']) {
        const right = { subject: { kind: 'anonymous' }, pattern, actions: ['pull'] } as const
        await database.transaction((tx) => setGrant(tx, { ...right, createdBy: undefined }, 1))
      }
      await database.transaction((tx) => deleteNamespace(tx, 'mirror'))
      expect((await listGrants(database, { limit: 9 })).map(({ pattern }) => pattern)).toEqual([
        'mirrors/app',
      ])
      expect(await findNamespace(database, 'mirror')).toBeUndefined()
    })

    it('leave no webhook that tells them of a namespace they have lost', async () => {
      await using database = await openTables()
      const add = (name: string, more: object = {}) =>
        database.transaction((tx) => createAccount(tx, { name, kind: 'person', ...more }, 1))
      await add('root', { isAdmin: true })
      const boss = await add('boss', { isAdmin: true })
      const people = []
      for (const name of ['gone', 'lesser', 'deleted', 'disabled', 'owner']) {
        people.push(await add(name))
      }
      const [gone, lesser, deleted, disabled] = people.map(({ id }) => id)
      const team = { name: 'team', createdBy: 'root' }
      await database.transaction((tx) => createNamespace(tx, team, 1))
      const setRole = (accountID = 0, role: 'owner' | 'developer' = 'owner') =>
        database.transaction((tx) => setMember(tx, 'team', { accountID, role }))
      for (const { id } of people) await setRole(id)
      const hook = (id: string, createdBy: string | null, namespace = 'team') =>
        putWebhook(database, {
          id,
          createdBy,
          namespace,
          repositories: '**',
          types: [],
          url: 'https://hook.test',
          secret: 's',
          isEnabled: true,
          failures: 0,
          disabledReason: null,
          createdAt: 1,
          updatedAt: 1,
        })
      for (const { name } of [...people, boss]) await hook(name, name)
      await hook('registry', 'boss', '')
      await hook('nobody', null)
      await setRole(lesser, 'developer')
      await setRole(boss.id, 'developer')
      await database.transaction((tx) => deleteMember(tx, 'team', gone ?? 0))
      await database.transaction((tx) => deleteAccount(tx, deleted ?? 0))
      await database.transaction((tx) => changeAccount(tx, disabled ?? 0, { isDisabled: true }, 2))
      const enabled = async (): Promise<readonly string[]> =>
        (await listWebhooks(database, 'team'))
          .filter(({ isEnabled }) => isEnabled)
          .map(({ id }) => id)
      expect(await enabled()).toEqual(['boss', 'nobody', 'owner'])
      expect((await getWebhook(database, 'gone'))?.disabledReason).toContain('not administer')
      await database.transaction((tx) => changeAccount(tx, boss.id, { isAdmin: false }, 2))
      expect(await enabled()).toEqual(['nobody', 'owner'])
      expect(await getWebhook(database, 'registry')).toMatchObject({ isEnabled: false })

      await database.run(
        `INSERT INTO webhook_deliveries (id, webhook_id, type, body, state, attempts, created_at)
         VALUES ('one', 'owner', 't', '{}', 'waiting', 0, 1)`,
      )
      await hook('elsewhere', 'owner', 'other')
      await database.transaction((tx) => deleteNamespace(tx, 'team'))
      expect(await listWebhooks(database, 'team')).toEqual([])
      expect(await database.all('SELECT id FROM webhook_deliveries')).toEqual([])
      expect(await listWebhooks(database, 'other')).toHaveLength(1)
    })

    it('sign tokens that every replica reads, by keys that change each month', async () => {
      await using database = await openTables()
      let now = Date.parse('2026-01-01')
      const replica = (): SignedTokens =>
        new SignedTokens({
          keys: new SigningKeys(database, () => now),
          service: 'katman',
          now: () => now,
        })
      const [one, other] = [replica(), replica()]
      const claims = { sub: 'ayse', uid: 1, access: [] }
      const tokens = await Promise.all([one.sign(claims, 300), other.sign(claims, 300)])
      expect(await database.all('SELECT id FROM signing_keys')).toHaveLength(1)
      for (const token of tokens) {
        expect(await one.read(token)).toMatchObject(claims)
        expect(await other.read(token)).toMatchObject(claims)
      }
      now += 31 * day
      const renewed = await one.sign(claims, 300)
      expect(await other.read(renewed)).toMatchObject(claims)
      expect(renewed.split('.')[0]).not.toBe(tokens[0]?.split('.')[0])
      now += 300_000
      expect(await other.read(renewed)).toBeUndefined()
    })

    it('sign tokens of which long ones are not remembered', async () => {
      await using database = await openTables()
      const now = (): number => Date.parse('2026-01-01')
      const keys = new SigningKeys(database, now)
      const tokens = new SignedTokens({ keys, service: 'katman', now })
      const find = vi.spyOn(keys, 'find')
      const grant = { type: 'repository', name: 'team/app', actions: ['pull'] } as const
      for (const [count, checks] of [
        [1, 1],
        [100, 3],
      ] as const) {
        const claims = { sub: 'ayse', access: Array.from({ length: count }, () => grant) }
        const token = await tokens.sign(claims, 300)
        find.mockClear()
        for (let read = 0; read < 3; read += 1)
          expect(await tokens.read(token)).toMatchObject(claims)
        expect(find).toHaveBeenCalledTimes(checks)
      }
    })

    it('leave an audit log that is asked and cut', async () => {
      await using database = await openTables()
      const write = (at: number, action: string, actor?: string): Promise<void> =>
        writeAudit(database, { at, action, actor, target: `x\u001b[2J${at}`, result: 'done' })
      await write(1, 'account.create', 'admin')
      await write(2, 'account.delete', 'admin')
      await write(3, 'login')
      const actions = async (query: object): Promise<readonly string[]> =>
        (await queryAudit(database, { limit: 10, ...query })).map(({ action }) => action)
      expect(await actions({})).toEqual(['login', 'account.delete', 'account.create'])
      expect(await actions({ actor: 'admin', until: 2 })).toEqual(['account.create'])
      expect(await actions({ action: 'account' })).toEqual(['account.delete', 'account.create'])
      expect(await actions({ action: 'login', since: 3 })).toEqual(['login'])
      const [newest] = await queryAudit(database, { limit: 1 })
      expect(newest?.target).toBe('x?[2J3')
      expect(await actions({ before: newest?.id })).toHaveLength(2)
      expect(await cutAudit(database, 3)).toBe(2)
      expect(await actions({})).toEqual(['login'])
    })
  })
}
