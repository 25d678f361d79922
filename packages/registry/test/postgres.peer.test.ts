import { expect, it } from 'vitest'
import { migrate } from '../src/index.ts'
import { openDatabase } from '../src/database/open-database.ts'
import { databaseSuite } from './database-suite.ts'
import { describePostgres } from './databases.ts'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'

const insert = 'INSERT INTO settings (key, value) VALUES (?, ?)'
const count = 'SELECT count(*) AS count FROM settings'

describePostgres('openDatabase with postgres://', (open, server) => {
  databaseSuite(open)

  it('makes the tables once for replicas that start together', async () => {
    const url = await server().createDatabase()
    const replicas = await Promise.all([url, url, url].map((one) => openDatabase(one)))
    await Promise.all(replicas.map((replica) => migrate(replica)))
    expect(await replicas[0]?.get(count)).toEqual({ count: 0 })
    await Promise.all(replicas.map((replica) => replica.close()))
  })

  it('does a transaction again that met a deadlock', async () => {
    await using database = await open()
    await migrate(database)
    await database.run(insert, ['a', ''])
    await database.run(insert, ['b', ''])
    // Each waits with its first row held until the other has one, too.
    const both = meeting(2)
    const append = (first: string, second: string) => {
      let tries = 0
      return database.transaction(async (transaction) => {
        const update = 'UPDATE settings SET value = value || ? WHERE key = ?'
        await transaction.run(update, ['x', first])
        if (tries++ === 0) await both()
        await transaction.run(update, ['x', second])
        return tries
      })
    }
    const tries = await Promise.all([append('a', 'b'), append('b', 'a')])
    expect(new Set(tries)).toEqual(new Set([1, 2]))
    expect(await database.all('SELECT DISTINCT value FROM settings')).toEqual([{ value: 'xx' }])
  })

  it('asks for a wait for the disk only where a change must last', async () => {
    await using database = await open()
    const show = "SELECT current_setting('synchronous_commit') AS mode"
    expect(await database.transaction((transaction) => transaction.get(show))).toEqual({
      mode: 'on',
    })
    expect(
      await database.transaction((transaction) => transaction.get(show), { isDurable: false }),
    ).toEqual({ mode: 'off' })
    expect(await database.get(show)).toEqual({ mode: 'on' })
  })

  it('finds nothing under a name with a NUL, as SQLite does, and is well afterwards', async () => {
    await using database = await open()
    await migrate(database)
    const find = 'SELECT value FROM settings WHERE key = ?'
    expect(await database.get(find, ['a\0'])).toBeUndefined()
    await database.transaction(async (transaction) => {
      expect(await transaction.get(find, ['\0'])).toBeUndefined()
      await transaction.run(insert, ['a', 'b\0'])
    })
    expect(await database.get(find, ['a'])).toEqual({ value: 'b\uFFFD' })
  })

  it('ends a statement that takes too long, and is well afterwards', async () => {
    const url = await server().createDatabase()
    await using database = await openDatabase(`${url}?statement_timeout=1&pool_size=1`)
    await expect(database.all('SELECT pg_sleep(60)')).rejects.toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
    })
    expect(await database.get('SELECT 1 AS one')).toEqual({ one: 1 })
  })

  it('goes on after a restart of the server as if nothing was', async () => {
    await using database = await open()
    await migrate(database)
    await Promise.all(Array.from({ length: 10 }, () => database.get(count)))
    await server().restart()
    await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        database.transaction((transaction) => transaction.run(insert, [`${at}`, ''])),
      ),
    )
    expect(await database.get(count)).toEqual({ count: 20 })
  })

  it('does a transaction again whose connection broke before it was to commit', async () => {
    await withProxy(async (url, proxy) => {
      await using database = await openDatabase(url)
      await migrate(database)
      let tries = 0
      const changed = await database.transaction(async (transaction) => {
        await transaction.run(insert, ['a', ''])
        tries += 1
        if (tries === 1) proxy.cut()
        return transaction.run(insert, ['b', ''])
      })
      expect([tries, changed]).toEqual([2, 1])
      expect(await database.get(count)).toEqual({ count: 2 })
    })
  })

  it('says that nobody knows when the answer to a commit was lost', async () => {
    await withProxy(async (url, proxy) => {
      await using database = await openDatabase(url)
      await migrate(database)
      proxy.onData = (from, data) => from === 'client' || !data.includes('COMMIT')
      let tries = 0
      const lost = database.transaction((transaction) => {
        tries += 1
        return transaction.run(insert, ['a', ''])
      })
      await expect(lost).rejects.toMatchObject({
        code: 'DATABASE_UNAVAILABLE',
        details: { outcome: 'unknown' },
      })
      expect(tries).toBe(1)
      proxy.onData = () => true
      // Here it was made.
      expect(await database.get(count)).toEqual({ count: 1 })

      proxy.onData = (from, data) => from === 'client' || !data.includes('INSERT')
      await expect(database.run(insert, ['b', ''])).rejects.toMatchObject({
        details: { outcome: 'unknown' },
      })
    })
  })

  it('reads again when the connection broke, and gives up on a server that stays away', async () => {
    await withProxy(async (url, proxy) => {
      await using database = await openDatabase(url)
      await migrate(database)
      let cuts = 0
      proxy.onData = (from) => from === 'client' || cuts++ > 0
      expect(await database.get(count)).toEqual({ count: 0 })
      proxy.mode = 'refuse'
      proxy.cut()
      await expect(database.get(count)).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
      proxy.mode = 'pass'
      expect(await database.get(count)).toEqual({ count: 0 })
    })
  })

  it('does not wait for ever for a server that says nothing', async () => {
    await withProxy(async (url, proxy) => {
      proxy.mode = 'silent'
      await expect(openDatabase(`${url}?connect_timeout=1`)).rejects.toMatchObject({
        code: 'DATABASE_UNAVAILABLE',
      })
    })
  })

  it.each([
    ['BEGIN ISOLATION LEVEL READ COMMITTED', { code: 'DATABASE_UNAVAILABLE' }],
    ['COMMIT', { code: 'DATABASE_UNAVAILABLE', details: { outcome: 'unknown' } }],
    ['ROLLBACK', { message: 'no' }],
  ])(
    'nor for one that falls silent at %s, and goes on with another connection',
    async (word, failure) => {
      await withProxy(async (url, proxy) => {
        await using database = await openDatabase(`${url}?statement_timeout=1`)
        await migrate(database)
        let isSilent = false
        proxy.onData = (from, data) => {
          isSilent ||= from === 'client' && data.toString('latin1').endsWith(`${word}\0`)
          return isSilent ? 'lose' : true
        }
        const changing = database.transaction(async (transaction) => {
          await transaction.run(insert, ['a', ''])
          if (word === 'ROLLBACK') throw new Error('no')
        })
        await expect(changing).rejects.toMatchObject(failure)
        proxy.onData = () => true
        const askedAt = performance.now()
        expect(await database.get(count)).toEqual({ count: 0 })
        expect(performance.now() - askedAt).toBeLessThan(3000)
      })
    },
  )

  it('shows no password when a database is not there', async () => {
    const url = `postgres://katman:s3cret@127.0.0.1:${server().port}/nowhere`
    const failure = await openDatabase(url).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'DATABASE_FAILED' })
    expect(JSON.stringify(failure) + String(failure)).not.toContain('s3cret')
  })

  async function withProxy(work: (url: string, proxy: TcpProxy) => Promise<void>): Promise<void> {
    const url = new URL(await server().createDatabase())
    await using proxy = await startTcpProxy([server().port])
    url.port = String(proxy.port)
    await work(url.href, proxy)
  }
})

/** A function that resolves when it was called `count` times. */
function meeting(size: number): () => Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  let here = 0
  return async () => {
    here += 1
    if (here === size) resolve(undefined)
    await promise
  }
}
