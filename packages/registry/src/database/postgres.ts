import { setTimeout } from 'node:timers/promises'
import type { Pool, PoolClient, PoolConfig, QueryConfig, QueryResult } from 'pg'
import type { Database, SqlValue, Transaction, TransactionOptions } from './database.ts'
import { numberPlaceholders } from './placeholders.ts'
import { databaseError, outcomeUnknown, troubleOf } from './postgres-error.ts'
import { parsePostgresUrl, type PostgresSettings } from './postgres-url.ts'
import { postgresTypes } from './postgres-types.ts'

/** A lost connection and a server that starts are waited for so long. */
const patienceMs = 5000
/** More texts than the program has are made at run time; those are not kept prepared. */
const preparedAtMost = 500

/**
 * The database of many replicas: a PostgreSQL server. Transactions are READ COMMITTED; one that met a deadlock or
 * lost its connection before it was to commit is done again.
 *
 * @throws KatmanError `DATABASE_URL_INVALID` for a URL that is none (see `parsePostgresUrl`), `DATABASE_UNAVAILABLE`,
 * `DATABASE_FAILED`.
 */
export async function openPostgres(url: string): Promise<Database> {
  const settings = parsePostgresUrl(url)
  const { default: pg } = await import('pg')
  const pool = new pg.Pool(poolConfig(settings))
  // A connection that breaks while nobody uses it is replaced by the next one.
  pool.on('error', () => undefined)
  const database = new PostgresDatabase(pool, settings)
  try {
    await database.all('SELECT 1 AS one')
  } catch (error) {
    await database.close()
    throw error
  }
  return database
}

class PostgresDatabase implements Database {
  readonly engine = 'postgres'
  readonly #pool: Pool
  readonly #settings: PostgresSettings
  readonly #statements = new Map<string, QueryConfig>()
  #closing: Promise<void> | undefined

  constructor(pool: Pool, settings: PostgresSettings) {
    this.#pool = pool
    this.#settings = settings
  }

  async all<T extends object>(
    sql: string,
    values: readonly SqlValue[] = [],
  ): Promise<readonly T[]> {
    return (await this.#once(sql, values)).rows as readonly T[]
  }

  async get<T extends object>(
    sql: string,
    values: readonly SqlValue[] = [],
  ): Promise<T | undefined> {
    return (await this.#once(sql, values)).rows[0] as T | undefined
  }

  async run(sql: string, values: readonly SqlValue[] = []): Promise<number> {
    return (await this.#once(sql, values)).rowCount ?? 0
  }

  transaction<T>(
    work: (transaction: Transaction) => Promise<T>,
    options: TransactionOptions = {},
  ): Promise<T> {
    return this.#persist((client) => this.#attempt(client, work, options))
  }

  close(): Promise<void> {
    this.#closing ??= this.#pool.end()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** A statement that is a transaction by itself. */
  #once(sql: string, values: readonly SqlValue[]): Promise<QueryResult> {
    const isRead = /^\s*SELECT\b/i.test(sql)
    return this.#persist(async (client) => {
      try {
        return { done: await client.query(this.#statement(sql), values.map(storable)) }
      } catch (cause) {
        const isLost = troubleOf(cause) === 'gone' && !isRead
        return { failure: isLost ? outcomeUnknown(cause) : databaseError(cause), cause, isLost }
      }
    })
  }

  async #attempt<T>(
    client: PoolClient,
    work: (transaction: Transaction) => Promise<T>,
    options: TransactionOptions,
  ): Promise<Outcome<T>> {
    const transaction = new PostgresTransaction(client, (sql) =>
      this.#statement(sql, options.isLong === true),
    )
    let done: T
    try {
      await transaction.begin(this.#statement(beginText(options)))
      done = await work(transaction)
    } catch (failure) {
      const { cause } = transaction
      const isGone = cause !== undefined && troubleOf(cause) === 'gone'
      const isStuck = !isGone && !(await this.#rollBack(client))
      return { failure, cause, isLost: false, isStuck }
    }
    // A query failed and `work` went on as if it had not: nothing of it can be kept.
    const { cause } = transaction
    if (cause !== undefined) {
      const isStuck = !(await this.#rollBack(client))
      return { failure: databaseError(cause), cause, isLost: false, isStuck }
    }
    try {
      await client.query(this.#statement('COMMIT'))
      return { done }
    } catch (cause) {
      const isLost = troubleOf(cause) === 'gone' || troubleOf(cause) === 'slow'
      return { failure: isLost ? outcomeUnknown(cause) : databaseError(cause), cause, isLost }
    }
  }

  /** Whether the connection can be used again. If not, its end makes the server undo the transaction by itself. */
  async #rollBack(client: PoolClient): Promise<boolean> {
    try {
      await client.query(this.#statement('ROLLBACK'))
      return true
    } catch {
      return false
    }
  }

  /** Tries again what was certainly not done: after a conflict a few times, without a connection for a while. */
  async #persist<T>(attempt: (client: PoolClient) => Promise<Outcome<T>>): Promise<T> {
    const giveUpAt = performance.now() + patienceMs
    for (let tries = 1; ; tries += 1) {
      const outcome = await this.#withClient(attempt)
      if ('done' in outcome) return outcome.done
      const trouble = outcome.cause === undefined ? undefined : troubleOf(outcome.cause)
      const isAgain =
        !outcome.isLost &&
        this.#closing === undefined &&
        (trouble === 'conflict' ? tries < 10 : trouble === 'gone' && performance.now() < giveUpAt)
      if (!isAgain) throw outcome.failure
      await setTimeout(Math.min(500, 5 * 2 ** tries) * (0.5 + Math.random() / 2))
    }
  }

  async #withClient<T>(attempt: (client: PoolClient) => Promise<Outcome<T>>): Promise<Outcome<T>> {
    let client: PoolClient
    try {
      client = await this.#pool.connect()
    } catch (cause) {
      return { failure: databaseError(cause), cause, isLost: false }
    }
    // Between two queries nobody else would hear it; the next query fails by itself.
    const ignore = () => undefined
    client.on('error', ignore)
    let outcome: Outcome<T> | undefined
    try {
      outcome = await attempt(client)
      return outcome
    } finally {
      client.off('error', ignore)
      const isWell = outcome !== undefined && ('done' in outcome || isUsableAfter(outcome))
      client.release(!isWell)
    }
  }

  #statement(sql: string, isLong = false): Statement {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      const text = numberPlaceholders(sql)
      const isKept =
        this.#settings.isPreparing &&
        this.#statements.size < preparedAtMost &&
        /^\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH)\b/i.test(sql)
      statement = isKept ? { text, name: `katman${this.#statements.size}` } : { text }
      if (isKept) this.#statements.set(sql, statement)
    }
    // The server ends what takes too long; this is for a server that is silent.
    const { statementTimeoutMs } = this.#settings
    return isLong ? statement : { ...statement, query_timeout: statementTimeoutMs + 5000 }
  }
}

/** The types of `pg` do not know that a query has a time limit of its own. */
interface Statement extends QueryConfig {
  query_timeout?: number
}

type Outcome<T> = { readonly done: T } | Failure

interface Failure {
  readonly failure: unknown
  /** What the database said; undefined when the work failed by itself. */
  readonly cause: unknown
  /** Whether the change may have been made all the same. */
  readonly isLost: boolean
  /** Whether the connection is still in a transaction. Default false. */
  readonly isStuck?: boolean
}

/** Whether a connection can be used again. */
function isUsableAfter({ cause, isLost, isStuck = false }: Failure): boolean {
  return !isLost && !isStuck && (cause === undefined || troubleOf(cause) !== 'gone')
}

class PostgresTransaction implements Transaction {
  readonly engine = 'postgres'
  /** The first failure of a query: the server undoes the transaction from then on. */
  cause: unknown
  readonly #client: PoolClient
  readonly #statement: (sql: string) => QueryConfig

  constructor(client: PoolClient, statement: (sql: string) => QueryConfig) {
    this.#client = client
    this.#statement = statement
  }

  async begin(statement: QueryConfig): Promise<void> {
    await this.#guard(() => this.#client.query(statement))
  }

  async all<T extends object>(
    sql: string,
    values: readonly SqlValue[] = [],
  ): Promise<readonly T[]> {
    return (await this.#query(sql, values)).rows as readonly T[]
  }

  async get<T extends object>(
    sql: string,
    values: readonly SqlValue[] = [],
  ): Promise<T | undefined> {
    return (await this.#query(sql, values)).rows[0] as T | undefined
  }

  async run(sql: string, values: readonly SqlValue[] = []): Promise<number> {
    return (await this.#query(sql, values)).rowCount ?? 0
  }

  #query(sql: string, values: readonly SqlValue[]): Promise<QueryResult> {
    return this.#guard(() => this.#client.query(this.#statement(sql), values.map(storable)))
  }

  async #guard<T>(query: () => Promise<T>): Promise<T> {
    if (this.cause !== undefined) throw databaseError(this.cause)
    try {
      return await query()
    } catch (cause) {
      this.cause ??= cause
      throw databaseError(cause)
    }
  }
}

/** PostgreSQL has no text with a NUL: as another mark that no name has, it is found nowhere and can be written down. */
function storable(value: SqlValue): SqlValue {
  return typeof value === 'string' && value.includes('\0')
    ? value.replaceAll('\0', '\uFFFD')
    : value
}

function beginText({ isDurable = true, isLong = false }: TransactionOptions): string {
  // Several statements without values go in one message.
  const settings = [
    ...(isDurable ? [] : ['SET LOCAL synchronous_commit = off']),
    ...(isLong ? ['SET LOCAL statement_timeout = 0', 'SET LOCAL lock_timeout = 0'] : []),
    ...(isLong ? ['SET LOCAL idle_in_transaction_session_timeout = 0'] : []),
  ]
  return ['BEGIN ISOLATION LEVEL READ COMMITTED', ...settings].join('; ')
}

function poolConfig(settings: PostgresSettings): PoolConfig {
  const { host, port, user, password, database, ssl, statementTimeoutMs } = settings
  return {
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ...(database === undefined ? {} : { database }),
    ssl,
    max: settings.poolSize,
    connectionTimeoutMillis: settings.connectTimeoutMs,
    idleTimeoutMillis: 60_000,
    statement_timeout: statementTimeoutMs,
    lock_timeout: statementTimeoutMs,
    idle_in_transaction_session_timeout: statementTimeoutMs,
    application_name: settings.applicationName,
    keepAlive: true,
    types: postgresTypes,
  }
}
