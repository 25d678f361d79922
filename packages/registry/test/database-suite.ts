import { describe, expect, it } from 'vitest'
import { migrate } from '../src/index.ts'
import type { OpenDatabase } from './databases.ts'

const insert = 'INSERT INTO settings (key, value) VALUES (?, ?)'
const count = 'SELECT count(*) AS count FROM settings'

/** What every engine does alike. */
export function databaseSuite(open: OpenDatabase): void {
  const openMigrated = async () => {
    const database = await open()
    await migrate(database)
    return database
  }

  describe('a database', () => {
    it('makes its tables once', async () => {
      await using database = await open()
      await Promise.all([migrate(database), migrate(database), migrate(database)])
      expect(await database.get(count)).toEqual({ count: 0 })
    })

    it('gives back numbers, text, bytes and nothing as they were', async () => {
      await using database = await openMigrated()
      const data = new Uint8Array([0, 1, 127, 128, 255])
      const size = Number.MAX_SAFE_INTEGER
      await database.run(
        'INSERT INTO blobs (digest, size, data, object_key, created_at) VALUES (?, ?, ?, ?, ?)',
        ['sha256:é', size, data, null, 1_764_000_000_000],
      )
      expect(await database.all('SELECT digest, size, data, object_key FROM blobs')).toEqual([
        { digest: 'sha256:é', size, data, object_key: null },
      ])
      expect(
        await database.get(
          'SELECT sum(size) AS sum, count(*) AS count, max(created_at) = ? AS same FROM blobs',
          [1_764_000_000_000],
        ),
      ).toEqual({ sum: size, count: 1, same: 1 })
      expect(await database.get('SELECT digest FROM blobs WHERE size = 1')).toBeUndefined()
    })

    it('takes question marks in text as text', async () => {
      await using database = await openMigrated()
      expect(
        await database.get(`SELECT 'what?' AS "why?", key FROM settings WHERE key = ?`, ['x']),
      ).toBeUndefined()
      await database.run(insert, ['x', '?'])
      expect(
        await database.get(`SELECT 'what?' AS "why?", key FROM settings WHERE key = ?`, ['x']),
      ).toEqual({ 'why?': 'what?', key: 'x' })
    })

    it('sorts names by their bytes', async () => {
      await using database = await openMigrated()
      for (const key of ['b', 'a-b', 'B', 'a_b', 'a/b', 'ab']) await database.run(insert, [key, ''])
      const rows = await database.all<{ readonly key: string }>(
        'SELECT key FROM settings ORDER BY key',
      )
      expect(rows.map(({ key }) => key)).toEqual(['B', 'a-b', 'a/b', 'a_b', 'ab', 'b'])
    })

    it('says how many rows were changed, and gives back what it wrote', async () => {
      await using database = await openMigrated()
      expect(await database.run(insert, ['a', '1'])).toBe(1)
      expect(await database.run(`${insert} ON CONFLICT DO NOTHING`, ['a', '2'])).toBe(0)
      expect(
        await database.get(
          `${insert} ON CONFLICT (key) DO UPDATE SET value = settings.value || excluded.value RETURNING value`,
          ['a', '2'],
        ),
      ).toEqual({ value: '12' })
      expect(await database.run('UPDATE settings SET value = ?', ['3'])).toBe(1)
      expect(await database.run('DELETE FROM settings WHERE key = ?', ['z'])).toBe(0)
    })

    it('undoes a transaction that fails and goes on with the next', async () => {
      await using database = await openMigrated()
      const failing = database.transaction(async (transaction) => {
        await transaction.run(insert, ['a', '1'])
        throw new Error('no')
      })
      const next = database.transaction((transaction) => transaction.run(insert, ['b', '2']))
      await expect(failing).rejects.toThrow('no')
      expect(await next).toBe(1)
      expect(await database.all('SELECT key FROM settings')).toEqual([{ key: 'b' }])
    })

    it('keeps nothing of a transaction in which a statement failed, even when it went on', async () => {
      await using database = await openMigrated()
      await database.run(insert, ['a', '1'])
      const work = database.transaction(async (transaction) => {
        await transaction.run(insert, ['b', '1'])
        await transaction.run(insert, ['a', '2']).catch(() => undefined)
      })
      await expect(work).rejects.toMatchObject({ code: 'DATABASE_FAILED' })
      expect(await database.all('SELECT key FROM settings')).toEqual([{ key: 'a' }])
    })

    it('says which rule a statement would break', async () => {
      await using database = await openMigrated()
      await database.run(insert, ['a', '1'])
      await expect(database.run(insert, ['a', '2'])).rejects.toMatchObject({
        code: 'DATABASE_FAILED',
        details: { violates: 'unique' },
      })
      await expect(database.run(insert, ['b', null])).rejects.toMatchObject({
        details: { violates: 'not-null' },
      })
      await expect(
        database.run(
          'INSERT INTO repository_blobs (repository_id, digest, linked_at, lease_until) VALUES (?, ?, ?, ?)',
          [1, 'sha256:0', 0, 0],
        ),
      ).rejects.toMatchObject({ details: { violates: 'foreign-key' } })
      await expect(database.all('SELECT nothing FROM nowhere')).rejects.toMatchObject({
        code: 'DATABASE_FAILED',
        details: {},
      })
    })

    it('loses no count of many that write at once', async () => {
      await using database = await openMigrated()
      await database.run(
        "INSERT INTO repositories (name, namespace, created_at) VALUES ('a', 'a', 0)",
      )
      await Promise.all(
        Array.from({ length: 50 }, (_, at) =>
          database.transaction(
            async (transaction) => {
              await transaction.run('UPDATE repositories SET created_at = created_at + 1')
              await transaction.run(insert, [`${at}`, ''])
            },
            { isDurable: at % 2 === 0, isLong: at % 3 === 0 },
          ),
        ),
      )
      expect(await database.get('SELECT created_at FROM repositories')).toEqual({ created_at: 50 })
      expect(await database.get(count)).toEqual({ count: 50 })
    })
  })
}
