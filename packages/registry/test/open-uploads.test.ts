import { describe, expect, it } from 'vitest'
import { digestOf, openVillage, type Village } from './cves.ts'

async function begin(village: Village, who: string): Promise<string> {
  const { headers } = await village.as(who, 'POST', '/v2/ayse/app/blobs/uploads/')
  return headers['location'] ?? ''
}

describe('an upload that is not finished', () => {
  it('is for the account that began it', async () => {
    await using village = await openVillage()
    await village.push('ayse', 'ayse/app', 'v1')
    const grant = {
      subject: { account: 'baris' },
      repository: 'ayse/**',
      actions: ['pull', 'push'],
    }
    expect((await village.as('ayse', 'POST', '/api/v1/grants', { body: grant })).status).toBe(201)
    const session = await begin(village, 'ayse')
    const finish = `${session}?digest=${digestOf('mine')}`
    expect((await village.as('baris', 'GET', session)).status).toBe(404)
    expect((await village.as('baris', 'PATCH', session, { body: 'x' })).status).toBe(404)
    expect((await village.as('baris', 'PUT', finish, { body: 'mine' })).status).toBe(404)
    expect((await village.as('baris', 'DELETE', session)).status).toBe(404)
    expect((await village.as('ayse', 'PUT', finish, { body: 'mine' })).status).toBe(201)
  })

  it('counts in the quota of its namespace, whether or not its length is told', async () => {
    await using village = await openVillage()
    await village.push('ayse', 'ayse/app', 'v1')
    const set = { body: { bytes: 1100 } }
    expect((await village.as('root', 'PUT', '/api/v1/quotas/ayse', set)).status).toBe(200)
    const body = 'x'.repeat(600)
    const told = { body, headers: { 'content-length': '600' } }
    const [first, second, third] = [
      await begin(village, 'ayse'),
      await begin(village, 'ayse'),
      await begin(village, 'ayse'),
    ]
    expect((await village.as('ayse', 'PATCH', first, told)).status).toBe(202)
    expect((await village.as('ayse', 'PATCH', second, told)).status).toBe(403)
    expect((await village.as('ayse', 'PATCH', second, { body })).status).toBe(202)
    expect((await village.as('ayse', 'PATCH', third, { body })).status).toBe(403)
    // Given up, it counts no more.
    for (const session of [first, second])
      expect((await village.as('ayse', 'DELETE', session)).status).toBe(204)
    expect((await village.as('ayse', 'PATCH', third, told)).status).toBe(202)
  })

  it('is one of at most 1,000 of an account', async () => {
    await using village = await openVillage()
    await village.push('ayse', 'ayse/app', 'v1')
    await village.registry.database.run(
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
       INSERT INTO uploads (id, repository, actor, size, epoch, busy_until, started_at, updated_at)
       SELECT 'u' || i, 'ayse/app', 'ayse', 0, 0, 0, 0, 0 FROM n`,
    )
    const start = '/v2/ayse/app/blobs/uploads/'
    const refused = await village.as('ayse', 'POST', start)
    expect([refused.status, refused.headers['retry-after']]).toEqual([429, '60'])
    expect((await village.as('root', 'POST', start)).status).toBe(202)
    await village.registry.database.run("DELETE FROM uploads WHERE id = 'u1'")
    expect((await village.as('ayse', 'POST', start)).status).toBe(202)
  })
})
