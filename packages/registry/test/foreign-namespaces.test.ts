import { describe, expect, it } from 'vitest'
import { readForeignNames } from '../src/proxy/foreign-names.ts'
import { type AccountsRegistry, basic, openAccountsRegistry } from './accounts.ts'
import { startUpstream } from './proxy/upstream.ts'
import { addImage, digestOf } from './support.ts'

const password = 'correct horse'
const headers = { 'content-type': 'application/json' }
const remote = { registry: 'up.test' }
const push = (registry: AccountsRegistry, name: string, user = 'ayse') =>
  registry.ask('POST', `/v2/${name}/blobs/uploads/?digest=${digestOf('x')}`, {
    authorization: basic(user, password),
    body: 'x',
  })

describe('the namespaces of what comes from other registries', () => {
  it('cannot be taken by people who may open namespaces, whatever way they try', async () => {
    await using registry = await openAccountsRegistry({
      upstreams: [{ ...remote, prefix: 'hub' }],
      replication: [
        {
          name: 'in',
          direction: 'pull',
          remote,
          repositories: ['team/**'],
          rename: { from: 'team/', to: 'copies/' },
        },
      ],
    })
    await registry.addAccount('root', { clear: password, isAdmin: true })
    await registry.addAccount('ayse', { clear: password, mayCreate: true })
    const asAyse = { authorization: basic('ayse', password) }
    for (const name of ['hub', 'copies']) {
      const made = await registry.ask('POST', '/api/v1/namespaces', {
        ...asAyse,
        headers,
        body: { name },
      })
      expect([name, made.status]).toEqual([name, 409])
      expect([name, (await push(registry, `${name}/app`)).status]).toEqual([name, 403])
      // Also not by being called so.
      const account = await registry.ask('POST', '/api/v1/accounts', {
        authorization: basic('root', password),
        headers,
        body: { name, password },
      })
      expect(account.status).toBe(201)
      expect([name, (await push(registry, `${name}/app`, name)).status]).toEqual([name, 403])
    }
    expect((await push(registry, 'mine/app')).status).toBe(201)
  })

  it('do not let those who may open namespaces pull from an upstream, with or without a prefix', async () => {
    await using upstream = await startUpstream()
    await addImage(upstream.registry, 'private/app', '1')
    const url = `http://${upstream.host}`
    for (const prefix of ['up', '']) {
      await using registry = await openAccountsRegistry({
        upstreams: [{ ...remote, url, isPrivate: true, prefix, only: ['private/**'] }],
      })
      await registry.addAccount('ayse', { clear: password, mayCreate: true })
      const name = prefix === '' ? 'private/app' : `${prefix}/private/app`
      const authorization = basic('ayse', password)
      const pull = await registry.ask('GET', `/v2/${name}/manifests/1`, { authorization })
      expect([prefix, pull.status]).toEqual([prefix, 403])
      const scope = `repository:${name}:pull,push`
      const token = await registry.ask('GET', `/token?scope=${scope}`, { authorization })
      const [, claims = ''] = String(token.document.token).split('.')
      expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({ access: [] })
      expect((await push(registry, name)).status).toBe(403)
      expect((await push(registry, 'mine/app')).status).toBe(201)
    }
    expect(upstream.asked).toEqual([])
  })

  it('are read from what the patterns of a rule say', () => {
    const of = (repositories: readonly string[], rename?: { from: string; to: string }) =>
      readForeignNames({
        replication: [
          {
            name: 'in',
            direction: 'pull',
            remote,
            repositories,
            ...(rename === undefined ? {} : { rename }),
          },
        ],
      }).namespaces
    expect(of(['team/app', 'other/**', 'te*', '**', 'alpine'])).toEqual(['team', 'other'])
    expect(of(['**'], { from: '', to: 'mirror/all/' })).toEqual(['mirror'])
    expect(of(['team/app', 'other/app'], { from: 'team/', to: 'copies/' })).toEqual(['copies'])
    expect(of(['team/app'], { from: 'team/', to: '' })).toEqual([])
  })
})
