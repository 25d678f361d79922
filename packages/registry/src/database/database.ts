/** What a column can hold. Times are whole milliseconds since 1970; truths are 0 and 1. */
export type SqlValue = string | number | Uint8Array | null

export type Row = Readonly<Record<string, SqlValue>>

/**
 * Runs SQL that every engine understands, with `?` for each value. Whole numbers come back as numbers, bytes as
 * `Uint8Array`. Statements are written once, as constants: the engines keep them prepared by their text.
 */
export interface Queries {
  all<T extends object = Row>(sql: string, values?: readonly SqlValue[]): Promise<readonly T[]>
  /** The first row. */
  get<T extends object = Row>(sql: string, values?: readonly SqlValue[]): Promise<T | undefined>
  /** How many rows it changed. */
  run(sql: string, values?: readonly SqlValue[]): Promise<number>
}

/** Inside one transaction. */
export interface Transaction extends Queries {
  readonly engine: Engine
}

export type Engine = 'sqlite' | 'postgres'

export interface TransactionOptions {
  /**
   * Whether the promise resolves only when a power cut cannot take the change back. Default true; false for what
   * may be lost, like the state of an upload.
   */
  readonly isDurable?: boolean
  /** Whether a statement may take as long as it needs: changes of tables, a move. Default false. */
  readonly isLong?: boolean
}

/** `details.violates` of a `DATABASE_FAILED`: the rule of a table that the statement would have broken. */
export type Violation = 'unique' | 'foreign-key' | 'not-null' | 'check'

/**
 * A registry's metadata. Reads outside a transaction see what is committed. A transaction is committed when `work`
 * resolves and undone when it rejects; it waits for nothing but its own queries, because other writers wait for it.
 * `work` may run again after a conflict with another writer. After a query of it failed the whole is undone, and
 * further queries fail, too: ask before you write, or use ON CONFLICT, where a failure is expected.
 *
 * @throws KatmanError `DATABASE_UNAVAILABLE` while the database cannot be reached (with `details.outcome` `unknown`
 * when the answer to a change was lost), `DATABASE_FAILED` when it refuses.
 */
export interface Database extends Queries, AsyncDisposable {
  readonly engine: Engine
  transaction<T>(
    work: (transaction: Transaction) => Promise<T>,
    options?: TransactionOptions,
  ): Promise<T>
  /** Rejects when no change will be kept any more until the database is opened again. */
  check?(): Promise<void>
  close(): Promise<void>
}
