import { mediaTypes } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import type { Role } from '../src/accounts/rights.ts'
import { createNamespace, setMember } from '../src/accounts/namespace-store.ts'
import { type AccountsRegistry, type Asking, openAccountsRegistry } from './accounts.ts'
import { digestOf } from './support.ts'

const document = (text: string): string =>
  JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociEmpty, digest: digestOf('{}'), size: 2 },
    layers: [],
    annotations: { text },
  })

/** Who may what: `p` pull, `w` push, `d` delete. */
const roles = {
  nobody: '',
  stranger: '',
  guest: 'p',
  developer: 'pw',
  maintainer: 'pwd',
  owner: 'pwd',
  administrator: 'pwd',
  'granted pull': 'p',
  'granted push': 'pw',
  'granted delete': 'pd',
  'granted admin': 'pwd',
  'owner by a token for pull': 'p',
  'robot that pushes': 'pw',
} as const

type Who = keyof typeof roles

interface Team extends AsyncDisposable {
  readonly registry: AccountsRegistry
  /** What somebody shows. */
  readonly shows: Readonly<Record<Who, Asking>>
}

async function openTeam(): Promise<Team> {
  const registry = await openAccountsRegistry()
  const { database } = registry
  await database.transaction((tx) => createNamespace(tx, { name: 'team', createdBy: undefined }, 1))
  const shown = async (
    name: string,
    options: object = {},
  ): Promise<{ id: number; asking: Asking }> => {
    const account = await registry.addAccount(name, options)
    const { secret } = await registry.addToken(account)
    return { id: account.id, asking: { authorization: `Bearer ${secret}` } }
  }
  const member = async (role: Role): Promise<Asking> => {
    const { id, asking } = await shown(role)
    await database.transaction((tx) => setMember(tx, 'team', { accountID: id, role }))
    return asking
  }
  const granted = async (
    action: 'pull' | 'push' | 'delete' | 'admin',
    options?: object,
  ): Promise<Asking> => {
    const { id, asking } = await shown(options === undefined ? `may-${action}` : 'team+ci', options)
    await registry.grant({ kind: 'account', id }, 'team/**', [action])
    return asking
  }
  const owner = await registry.addAccount('second-owner')
  await database.transaction((tx) => setMember(tx, 'team', { accountID: owner.id, role: 'owner' }))
  const cut = await registry.addToken(owner, { scopes: [{ pattern: 'team/*', actions: ['pull'] }] })
  return {
    registry,
    shows: {
      nobody: {},
      stranger: (await shown('stranger')).asking,
      guest: await member('guest'),
      developer: await member('developer'),
      maintainer: await member('maintainer'),
      owner: await member('owner'),
      administrator: (await shown('root', { isAdmin: true })).asking,
      'granted pull': await granted('pull'),
      'granted push': await granted('push'),
      'granted delete': await granted('delete'),
      'granted admin': await granted('admin'),
      'owner by a token for pull': { authorization: `Bearer ${cut.secret}` },
      'robot that pushes': await granted('push', { kind: 'robot', namespace: 'team' }),
    },
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  }
}

describe('rights', () => {
  it.each(Object.keys(roles) as Who[])(
    'of %s hold for every verb and every kind of reference',
    async (who) => {
      await using team = await openTeam()
      const { registry, shows } = team
      const push = (repository: string, reference: string, asking: Asking, text: string) =>
        registry.ask('PUT', `/v2/${repository}/manifests/${reference}`, {
          ...asking,
          headers: { 'content-type': mediaTypes.ociManifest },
          body: document(text),
        })
      const root = shows.administrator
      const restore = async (): Promise<void> => {
        const blob = `/v2/team/app/blobs/uploads/?digest=${digestOf('{}')}`
        expect((await registry.ask('POST', blob, { ...root, body: '{}' })).status).toBe(201)
        for (const tag of ['there', 'latest']) {
          expect((await push('team/app', tag, root, tag)).status).toBe(201)
        }
      }
      await restore()
      const may = (action: string): boolean => roles[who].includes(action)
      const refused = who === 'nobody' ? 401 : 403
      const there = digestOf(document('there'))
      const missing = digestOf('missing')
      const verdicts: (readonly [string, string, number, number])[] = []
      const look = async (
        method: string,
        path: string,
        action: string,
        fine: number,
      ): Promise<void> => {
        const { status } = await registry.ask(method, `/v2/team/app/${path}`, shows[who])
        verdicts.push([method, path, status, may(action) ? fine : refused])
      }
      for (const [reference, status] of [
        ['there', 200],
        ['latest', 200],
        ['new', 404],
        [there, 200],
        [missing, 404],
      ] as const) {
        await look('GET', `manifests/${reference}`, 'p', status)
        await look('HEAD', `manifests/${reference}`, 'p', status)
      }
      await look('GET', `blobs/${digestOf('{}')}`, 'p', 200)
      await look('GET', 'tags/list', 'p', 200)
      await look('GET', `referrers/${there}`, 'p', 200)
      await look('POST', 'blobs/uploads/', 'w', 202)
      for (const reference of ['there', 'latest', 'new', digestOf(document('by digest'))]) {
        const text = reference.startsWith('sha256') ? 'by digest' : reference
        const { status } = await push('team/app', reference, shows[who], text)
        verdicts.push(['PUT', reference, status, may('w') ? 201 : refused])
      }
      for (const [path, status] of [
        ['manifests/there', 202],
        ['manifests/latest', 202],
        ['manifests/nowhere', 404],
        [`manifests/${there}`, 202],
        [`manifests/${missing}`, 404],
      ] as const) {
        await look('DELETE', path, 'd', status)
      }
      for (const [method, path, status, expected] of verdicts) {
        expect(status, `${who} ${method} ${path}`).toBe(expected)
      }
      // The same in a repository that is not the team's: nobody but the administrator.
      for (const [method, path, fine] of [
        ['GET', 'manifests/latest', 404],
        ['POST', 'blobs/uploads/', 202],
        ['DELETE', 'manifests/latest', 404],
      ] as const) {
        const { status } = await registry.ask(method, `/v2/teams/app/${path}`, shows[who])
        expect(status, `${who} ${method} teams/app`).toBe(who === 'administrator' ? fine : refused)
      }
    },
  )

  it('to mount follow the right to pull where the blob is', async () => {
    await using team = await openTeam()
    const { registry, shows } = team
    const digest = digestOf('secret')
    const blob = `/v2/hidden/app/blobs/uploads/?digest=${digest}`
    expect(
      (await registry.ask('POST', blob, { ...shows.administrator, body: 'secret' })).status,
    ).toBe(201)
    const mount = `/v2/team/app/blobs/uploads/?mount=${digest}&from=hidden/app`
    expect((await registry.ask('POST', mount, shows.developer)).status).toBe(202)
    expect(
      (await registry.ask('POST', `/v2/team/app/blobs/uploads/?mount=${digest}`, shows.developer))
        .status,
    ).toBe(202)
    expect(
      (await registry.ask('GET', `/v2/team/app/blobs/${digest}`, shows.developer)).status,
    ).toBe(404)
    expect((await registry.ask('POST', mount, shows.administrator)).status).toBe(201)
  })

  it('decide what lists and searches show', async () => {
    await using team = await openTeam()
    const { registry, shows } = team
    for (const name of ['team/app', 'hidden/app', 'open/app']) {
      const blob = `/v2/${name}/blobs/uploads/?digest=${digestOf('{}')}`
      await registry.ask('POST', blob, { ...shows.administrator, body: '{}' })
    }
    const lists = async (asking: Asking): Promise<unknown> => {
      const catalog = await registry.ask('GET', '/v2/_catalog', asking)
      const found = await registry.ask('GET', '/v1/search?q=app', asking)
      const names = found.document.results?.map(({ name }: { name: string }) => name).toSorted()
      return [catalog.document.repositories ?? catalog.status, names ?? found.status]
    }
    expect(await lists(shows.nobody)).toEqual([401, 401])
    await registry.grant({ kind: 'anonymous' }, 'open/*', ['pull'])
    expect(await lists(shows.nobody)).toEqual([['open/app'], ['open/app']])
    expect(await lists(shows.stranger)).toEqual([['open/app'], ['open/app']])
    expect(await lists(shows.guest)).toEqual([
      ['open/app', 'team/app'],
      ['open/app', 'team/app'],
    ])
    const all = ['hidden/app', 'open/app', 'team/app']
    expect(await lists(shows.administrator)).toEqual([all, all])
  })
})
