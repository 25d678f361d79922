import { existsSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { isKatmanError, KatmanError } from '@katman/oci'
import { syncFolder } from '../durable-file.ts'
import type { Database, SqlValue, Transaction, TransactionOptions, Violation } from './database.ts'

/** What a trigger of a registry that moved to another database says to who still writes. */
export const movedMessage = 'this registry has moved'
/** Another process or thread that writes is waited for so long. */
const busyMs = 10_000

/**
 * The embedded database: a SQLite file with a write-ahead log, or memory. One connection writes, one transaction
 * after the other; another reads meanwhile. The file `:memory:` is memory. Several threads and processes may have the same file open.
 */
export async function openSqlite(file: string): Promise<Database> {
  const isMemory = file === ':memory:'
  const writer = new Connection(openConnection(file))
  const reader = isMemory ? writer : new Connection(openConnection(file))
  // Commits are written, not flushed, by SQLite; `flush` waits for the disk once for all that came together.
  const log = isMemory ? undefined : await openLog(file, writer)
  // From here on a writer is waited for without holding up the thread.
  writer.execute('PRAGMA busy_timeout = 0')
  return new SqliteDatabase(writer, reader, log)
}

class SqliteDatabase implements Database {
  readonly engine = 'sqlite'
  readonly #writer: Connection
  readonly #reader: Connection
  readonly #log: Log | undefined
  /** The end of the line of writers. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(writer: Connection, reader: Connection, log: Log | undefined) {
    this.#writer = writer
    this.#reader = reader
    this.#log = log
  }

  all<T extends object>(sql: string, values?: readonly SqlValue[]): Promise<readonly T[]> {
    return this.#read(() => this.#reader.all<T>(sql, values))
  }

  get<T extends object>(sql: string, values?: readonly SqlValue[]): Promise<T | undefined> {
    return this.#read(() => this.#reader.get<T>(sql, values))
  }

  run(sql: string, values?: readonly SqlValue[]): Promise<number> {
    return this.transaction((transaction) => transaction.run(sql, values))
  }

  async transaction<T>(
    work: (transaction: Transaction) => Promise<T>,
    { isDurable = true }: TransactionOptions = {},
  ): Promise<T> {
    const result = await this.#inTurn(async () => {
      this.#log?.mustWork()
      await this.#begin()
      try {
        const done = await work(this.#writer)
        this.#writer.commit()
        return done
      } catch (error) {
        this.#writer.rollBack()
        throw error
      }
    })
    if (isDurable) await this.#log?.flush()
    return result
  }

  async check(): Promise<void> {
    this.#log?.mustWork()
  }

  async close(): Promise<void> {
    await this.#inTurn(async () => undefined)
    await this.#log?.close()
    if (this.#reader !== this.#writer) this.#reader.close()
    this.#writer.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #begin(): Promise<void> {
    const giveUpAt = performance.now() + busyMs
    for (let waitMs = 1; ; waitMs = Math.min(20, waitMs * 2)) {
      try {
        this.#writer.begin()
        return
      } catch (error) {
        if (!isKatmanError(error, 'DATABASE_UNAVAILABLE') || performance.now() > giveUpAt)
          throw error
        await setTimeout(waitMs * Math.random())
      }
    }
  }

  /** Memory has one connection, so a read waits for the transaction that is under way. */
  #read<T>(read: () => Promise<T>): Promise<T> {
    return this.#log === undefined ? this.#inTurn(read) : read()
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work)
    this.#last = turn.catch(() => undefined)
    return turn
  }
}

class Connection implements Transaction {
  readonly engine = 'sqlite'
  readonly #connection: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  /** Whether a transaction was begun and not ended by us: after some failures SQLite ends it by itself. */
  #isWriting = false
  /** What failed in it. */
  #failure: { readonly error: unknown } | undefined

  constructor(connection: DatabaseSync) {
    this.#connection = connection
  }

  async all<T extends object>(
    sql: string,
    values: readonly SqlValue[] = [],
  ): Promise<readonly T[]> {
    // The rows are what the statement says; whoever wrote it knows their shape.
    return this.#query(() => this.#prepare(sql).all(...values) as unknown as readonly T[])
  }

  async get<T extends object>(
    sql: string,
    values: readonly SqlValue[] = [],
  ): Promise<T | undefined> {
    return this.#query(() => this.#prepare(sql).get(...values) as unknown as T | undefined)
  }

  async run(sql: string, values: readonly SqlValue[] = []): Promise<number> {
    return this.#query(() => Number(this.#prepare(sql).run(...values).changes))
  }

  begin(): void {
    this.execute('BEGIN IMMEDIATE')
    this.#isWriting = true
  }

  commit(): void {
    this.#mayGoOn()
    this.execute('COMMIT')
    this.#isWriting = false
  }

  rollBack(): void {
    this.#isWriting = false
    this.#failure = undefined
    if (this.#connection.isTransaction) this.execute('ROLLBACK')
  }

  execute(sql: string): void {
    guard(() => {
      this.#connection.exec(sql)
    })
  }

  close(): void {
    this.#connection.close()
  }

  #query<T>(work: () => T): T {
    this.#mayGoOn()
    try {
      return guard(work)
    } catch (error) {
      if (this.#isWriting) this.#failure = { error }
      throw error
    }
  }

  /**
   * SQLite would keep what was done around a failed statement, or after it when it ended the transaction; PostgreSQL does not,
   * so here neither does.
   */
  #mayGoOn(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#connection.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }
}

/** The file in which commits arrive first. */
class Log {
  readonly #handle: FileHandle
  #running: Promise<void> | undefined
  #next: Promise<void> | undefined
  #failure: KatmanError | undefined

  constructor(handle: FileHandle) {
    this.#handle = handle
  }

  /** Resolves when all that was committed before the call is on disk. Calls that come together share one wait. */
  flush(): Promise<void> {
    if (this.#running === undefined) {
      this.#running = this.#sync().finally(() => {
        this.#running = undefined
      })
      return this.#running
    }
    // The wait under way may have begun before our commit was written.
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined
        return this.flush()
      })
    return this.#next
  }

  /** A flush that failed is told of once; the next would succeed without what is lost. So nothing is taken from then on. */
  mustWork(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  async close(): Promise<void> {
    await this.#running?.catch(() => undefined)
    await this.#handle.close()
  }

  async #sync(): Promise<void> {
    this.mustWork()
    try {
      await this.#handle.datasync()
    } catch (cause) {
      const message = 'the disk did not take a change of the database'
      const hint = 'check the disk, then start the registry again'
      this.#failure = new KatmanError('DATABASE_FAILED', message, { cause, hint })
      throw this.#failure
    }
  }
}

function openConnection(file: string): DatabaseSync {
  return guard(() => {
    const connection = new DatabaseSync(file, { timeout: busyMs })
    connection.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;' +
        'PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 67108864',
    )
    return connection
  })
}

async function openLog(file: string, connection: Connection): Promise<Log> {
  const name = `${file}-wal`
  // The log begins with the first write.
  if (!existsSync(name)) connection.execute('BEGIN IMMEDIATE; PRAGMA user_version = 1; COMMIT')
  // A flushed file whose name is lost in a power cut is lost with it.
  await syncFolder(path.dirname(file))
  return new Log(await open(name, 'r'))
}

function guard<T>(work: () => T): T {
  try {
    return work()
  } catch (cause) {
    const code = isSqliteError(cause) ? cause.errcode : 0
    const isBusy = (code & 0xff) === 5 || (code & 0xff) === 6
    if (code === 1811 && String(cause).endsWith(movedMessage)) throw moved(cause)
    const violates = violations.get(code)
    throw new KatmanError(
      isBusy ? 'DATABASE_UNAVAILABLE' : 'DATABASE_FAILED',
      `the database ${isBusy ? 'is busy' : 'refused a statement'}: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        cause,
        hint: isBusy ? 'try again' : 'check the disk and the database file',
        ...(violates === undefined ? {} : { details: { violates } }),
      },
    )
  }
}

function moved(cause: unknown): KatmanError {
  return new KatmanError('DATABASE_UNAVAILABLE', `${movedMessage} to another database`, {
    cause,
    hint: 'send clients to the replicas that serve it now',
  })
}

/** By SQLite's extended result codes. */
const violations: ReadonlyMap<number, Violation> = new Map([
  [2067, 'unique'],
  [1555, 'unique'],
  [787, 'foreign-key'],
  [1299, 'not-null'],
  [275, 'check'],
])

function isSqliteError(error: unknown): error is Error & { readonly errcode: number } {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'
}
