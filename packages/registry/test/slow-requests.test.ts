import { describe, expect, it } from 'vitest'
import { type Account, deleteAccount } from '../src/accounts/account-store.ts'
import { deleteGrant } from '../src/accounts/grant-store.ts'
import { type AccountsRegistry, basic, openAccountsRegistry } from './accounts.ts'
import { digestOf, imageOf, ociManifest } from './cves.ts'

const authorization = basic('ayse', 'correct horse')

async function openWithPusher(): Promise<{
  readonly registry: AccountsRegistry
  readonly account: Account
  readonly grant: number
}> {
  const registry = await openAccountsRegistry()
  await registry.addAccount('root', { isAdmin: true })
  const account = await registry.addAccount('ayse', { clear: 'correct horse' })
  const grant = await registry.grant(account, 'team/*', ['pull', 'push'])
  for (const blob of ['{}', 'layer']) {
    const target = `/v2/team/app/blobs/uploads/?digest=${digestOf(blob)}`
    const { status } = await registry.ask('POST', target, { authorization, body: blob })
    expect(status).toBe(201)
  }
  return { registry, account, grant }
}

describe('a request that takes long', () => {
  const put = {
    body: JSON.stringify(imageOf('{}', 'layer')),
    headers: { 'content-type': ociManifest },
  }

  it('pushes no manifest by a right that was taken away meanwhile', async () => {
    const { registry, grant } = await openWithPusher()
    await using _ = registry
    const push = (tag: string, beforeEnd: () => Promise<void>): Promise<{ status: number }> =>
      registry.ask('PUT', `/v2/team/app/manifests/${tag}`, { ...put, authorization, beforeEnd })
    const slow = await push('slow', async () => registry.wait(3_600_000))
    expect(slow.status).toBe(201)
    const late = await push('late', async () => {
      registry.wait(3_600_000)
      await registry.database.transaction((transaction) => deleteGrant(transaction, grant))
    })
    expect(late.status).toBe(403)
  })

  it('ends no upload for an account that was removed meanwhile', async () => {
    const { registry, account } = await openWithPusher()
    await using _ = registry
    const started = await registry.ask('POST', '/v2/team/app/blobs/uploads/', { authorization })
    const target = `${started.headers['location']}?digest=${digestOf('more')}`
    const { status } = await registry.ask('PUT', target, {
      authorization,
      body: 'more',
      async beforeEnd() {
        registry.wait(3_600_000)
        await registry.database.transaction((transaction) => deleteAccount(transaction, account.id))
      },
    })
    expect(status).toBe(403)
  })

  it('goes on with a token that ran out meanwhile', async () => {
    const { registry } = await openWithPusher()
    await using _ = registry
    const scope = 'repository:team/app:pull,push'
    const { document } = await registry.ask('GET', `/token?scope=${scope}`, { authorization })
    const { status } = await registry.ask(
      'POST',
      `/v2/team/app/blobs/uploads/?digest=${digestOf('more')}`,
      {
        authorization: `Bearer ${document.token}`,
        body: 'more',
        beforeEnd: async () => registry.wait(3_600_000),
      },
    )
    expect(status).toBe(201)
  })
})
