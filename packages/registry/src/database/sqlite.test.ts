import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import type { Database } from './database.ts'
import { migrate } from './migrate.ts'
import { openSqlite } from './sqlite.ts'

async function withDatabases(
  work: (one: Database, other: Database) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'katman-sqlite-'))
  const file = path.join(folder, 'registry.db')
  try {
    await using one = await openSqlite(file)
    await using other = await openSqlite(file)
    await work(one, other)
  } finally {
    await rm(folder, { recursive: true })
  }
}

const insert = 'INSERT INTO settings (key, value) VALUES (?, ?)'
const count = 'SELECT count(*) AS count FROM settings'

describe('openSqlite', () => {
  it('makes the tables once, however many begin at the same time', async () => {
    await withDatabases(async (one, other) => {
      await Promise.all([migrate(one), migrate(other), migrate(one)])
      expect(await other.get(count)).toEqual({ count: 0 })
    })
  })

  it('undoes a transaction that fails and goes on with the next', async () => {
    await withDatabases(async (one, other) => {
      await migrate(one)
      const failing = one.transaction(async (transaction) => {
        await transaction.run(insert, ['a', '1'])
        throw new Error('no')
      })
      const next = one.transaction((transaction) => transaction.run(insert, ['b', '2']))
      await expect(failing).rejects.toThrow('no')
      expect(await next).toBe(1)
      expect(await other.all('SELECT key FROM settings')).toEqual([{ key: 'b' }])
    })
  })

  it('shows a transaction to others only when it is whole', async () => {
    await withDatabases(async (one, other) => {
      await migrate(one)
      await one.transaction(async (transaction) => {
        await transaction.run(insert, ['a', '1'])
        expect(await transaction.get(count)).toEqual({ count: 1 })
        expect(await one.get(count)).toEqual({ count: 0 })
        expect(await other.get(count)).toEqual({ count: 0 })
      })
      expect(await one.get(count)).toEqual({ count: 1 })
      expect(await other.get(count)).toEqual({ count: 1 })
    })
  })

  it('keeps what was committed from two sides, in memory and in a file', async () => {
    await withDatabases(async (one, other) => {
      await migrate(one)
      await Promise.all(
        [one, other].flatMap((database, side) =>
          Array.from({ length: 50 }, (_, at) => database.run(insert, [`${side}-${at}`, ''])),
        ),
      )
      expect(await one.get(count)).toEqual({ count: 100 })
    })
    await using memory = await openSqlite(':memory:')
    await migrate(memory)
    await memory.run(insert, ['a', '1'])
    expect(await memory.get(count)).toEqual({ count: 1 })
  })

  it('keeps nothing that comes after a failure with which SQLite ended the transaction', async () => {
    await withDatabases(async (one, other) => {
      await migrate(one)
      const failing = one.transaction(async (transaction) => {
        await transaction.run(insert, ['a', '1'])
        const ending = transaction.run(insert.replace('INSERT', 'INSERT OR ROLLBACK'), ['a', '2'])
        await ending.catch(() => undefined)
        await transaction.run(insert, ['b', '3'])
      })
      await expect(failing).rejects.toMatchObject({ details: { violates: 'unique' } })
      expect(await other.get(count)).toEqual({ count: 0 })
      await one.run(insert, ['c', '4'])
      expect(await other.get(count)).toEqual({ count: 1 })
    })
  })

  it('takes no change and says so after the disk did not take one, and still reads', async () => {
    await withDatabases(async (one, other) => {
      await migrate(one)
      await one.check?.()
      await using handle = await open(import.meta.filename)
      const sync = vi.spyOn(Object.getPrototypeOf(handle), 'datasync')
      sync.mockRejectedValueOnce(new Error('EIO: i/o error, fdatasync'))
      const failed = expect.objectContaining({
        code: 'DATABASE_FAILED',
        message: expect.stringContaining('the disk'),
      })
      await expect(one.run(insert, ['a', '1'])).rejects.toEqual(failed)
      await expect(one.run(insert, ['b', '2'])).rejects.toEqual(failed)
      await expect(one.transaction(async () => 1, { isDurable: false })).rejects.toEqual(failed)
      await expect(one.check?.()).rejects.toEqual(failed)
      sync.mockRestore()
      expect(await other.all("SELECT key FROM settings WHERE key = 'b'")).toEqual([])
      expect(await one.all("SELECT key FROM settings WHERE key = 'b'")).toEqual([])
    })
  })

  it('says which statement a database refuses', async () => {
    await using memory = await openSqlite(':memory:')
    await expect(memory.all('SELECT nothing FROM nowhere')).rejects.toMatchObject({
      code: 'DATABASE_FAILED',
    })
  })
})
