import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'
import { makeFirstRunToken } from '../src/accounts/first-run.ts'
import { basic, openAccountsRegistry } from './accounts.ts'
import { describePostgres } from './databases.ts'
import { digestOf } from './support.ts'

describePostgres('accounts of two replicas', (_open, server) => {
  it('are the same, with tokens, rights and the first administrator', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'katman-accounts-'))
    const options = {
      database: await server().createDatabase(),
      folder: path.join(folder, 'blobs'),
    }
    try {
      await using one = await openAccountsRegistry(options)
      await using other = await openAccountsRegistry(options)
      const made = await Promise.all(
        [one, other].map(({ database }) => makeFirstRunToken(database, 1)),
      )
      const [first, ...more] = made.filter((found) => found !== undefined)
      expect(more).toEqual([])
      const admin = basic('admin', first?.token ?? '')
      const type = { 'content-type': 'application/json' }
      const account = { name: 'ayse', password: 'correct horse', may_create: true }
      const added = await one.ask('POST', '/api/v1/accounts', {
        authorization: admin,
        headers: type,
        body: account,
      })
      expect(added.status).toBe(201)
      const ayse = basic('ayse', 'correct horse')
      // Both have looked at the rights of before.
      for (const replica of [one, other]) {
        expect(
          (await replica.ask('GET', '/v2/fresh/app/tags/list', { authorization: ayse })).status,
        ).toBe(404)
      }
      const blob = `/v2/fresh/app/blobs/uploads/?digest=${digestOf('x')}`
      const pushed = await one.ask('POST', blob, { authorization: ayse, body: 'x' })
      expect(pushed.status).toBe(201)
      // The namespace is theirs now, wherever they go on.
      const token = await other.ask('GET', '/token?scope=repository:fresh/app:pull,push,delete', {
        authorization: ayse,
      })
      const bearer = `Bearer ${token.document.token}`
      for (const replica of [one, other]) {
        const found = await replica.ask('GET', `/v2/fresh/app/blobs/${digestOf('x')}`, {
          authorization: bearer,
        })
        expect(found.status).toBe(200)
      }
      const off = await one.ask('PATCH', '/api/v1/accounts/ayse', {
        authorization: admin,
        headers: type,
        body: { is_disabled: true },
      })
      expect(off.status).toBe(200)
      other.wait(10_000)
      for (const authorization of [ayse, bearer]) {
        const found = await other.ask('GET', '/v2/fresh/app/tags/list', { authorization })
        expect(found.status).toBe(401)
      }
      const audit = await other.ask('GET', '/api/v1/audit?action=account', { authorization: admin })
      expect(audit.document.entries).toHaveLength(3)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})
