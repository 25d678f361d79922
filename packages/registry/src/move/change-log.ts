import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'
import { movedMessage } from '../database/sqlite.ts'
import type { SourceTable } from './source-tables.ts'

/** A row that was written, or is gone. */
export interface ChangedRow {
  readonly table: SourceTable
  readonly key: readonly (string | number)[]
  /** As it is now; undefined when it was deleted. */
  readonly row: Readonly<Record<string, SQLOutputValue>> | undefined
}

export interface Changes {
  /** Up to this number of the log. */
  readonly last: number
  readonly rows: readonly ChangedRow[]
}

/** From here on the source notes each row that is written, whoever writes it. Again is fine. */
export async function beginLog(
  source: DatabaseSync,
  tables: readonly SourceTable[],
): Promise<void> {
  await inWriting(source, () => {
    source.exec(
      'CREATE TABLE IF NOT EXISTS move_log (seq INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, key TEXT NOT NULL)',
    )
    for (const { name, key } of tables) {
      const note = (row: 'NEW' | 'OLD') =>
        `INSERT INTO move_log (name, key) VALUES ('${name}', json_array(${key.map((column) => `${row}."${column}"`).join(', ')}));`
      const steps = { insert: note('NEW'), update: note('OLD') + note('NEW'), delete: note('OLD') }
      for (const [event, statements] of Object.entries(steps)) {
        source.exec(
          `CREATE TRIGGER IF NOT EXISTS "move_${event}_${name}" AFTER ${event} ON "${name}" BEGIN ${statements} END`,
        )
      }
    }
  })
}

/** The number that the log is at; 0 at its beginning. */
export function lastOf(source: DatabaseSync): number {
  return Number(
    source.prepare('SELECT coalesce(max(seq), 0) AS last FROM move_log').get()?.['last'],
  )
}

/** What was written since a number of the log, each row once, as it is now. Within one transaction of the source. */
export function readChanges(
  source: DatabaseSync,
  tables: readonly SourceTable[],
  since: number,
): Changes {
  const last = lastOf(source)
  const noted = source
    .prepare('SELECT DISTINCT name, key FROM move_log WHERE seq > ? AND seq <= ?')
    .all(since, last)
  const byName = new Map(tables.map((table) => [table.name, table]))
  const rows = noted.flatMap(({ name, key: text }): ChangedRow[] => {
    const table = byName.get(String(name))
    if (table === undefined) return []
    const key = JSON.parse(String(text)) as (string | number)[]
    const where = table.key.map((column) => `"${column}" = ?`).join(' AND ')
    const row = source.prepare(`SELECT * FROM "${table.name}" WHERE ${where}`).get(...key)
    return [{ table, key, row }]
  })
  return { last, rows }
}

/** Takes back what the move changed in the source. */
export function endLog(source: DatabaseSync): void {
  const triggers = source
    .prepare(
      "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'move\\_%' ESCAPE '\\'",
    )
    .all()
  for (const { name } of triggers) source.exec(`DROP TRIGGER "${String(name)}"`)
  source.exec('DROP TABLE IF EXISTS move_log')
}

/** From here on nobody changes the source, whatever runs on it. */
export function freeze(source: DatabaseSync, tables: readonly SourceTable[]): void {
  for (const name of [...tables.map((table) => table.name), 'uploads']) {
    for (const event of ['insert', 'update', 'delete']) {
      source.exec(
        `CREATE TRIGGER "move_end_${event}_${name}" BEFORE ${event} ON "${name}" BEGIN SELECT RAISE(ABORT, '${movedMessage}'); END`,
      )
    }
  }
}

export function isFrozen(source: DatabaseSync): boolean {
  const sql =
    "SELECT 1 AS one FROM sqlite_master WHERE type = 'trigger' AND name = 'move_end_insert_blobs'"
  return source.prepare(sql).get() !== undefined
}

/** Whether the log goes back to when it was begun. */
export function hasLog(source: DatabaseSync): boolean {
  const sql = "SELECT 1 AS one FROM sqlite_master WHERE type = 'table' AND name = 'move_log'"
  return source.prepare(sql).get() !== undefined
}

/** Takes the one lock for writing, after who has it. */
export async function beginWriting(source: DatabaseSync): Promise<void> {
  const giveUpAt = performance.now() + 60_000
  for (;;) {
    try {
      source.exec('BEGIN IMMEDIATE')
      return
    } catch (error) {
      const isBusy = error instanceof Error && 'errcode' in error && error.errcode === 5
      if (!isBusy || performance.now() > giveUpAt) throw error
      await setTimeout(2)
    }
  }
}

export async function inWriting<T>(source: DatabaseSync, work: () => T): Promise<T> {
  await beginWriting(source)
  try {
    const done = work()
    source.exec('COMMIT')
    return done
  } catch (error) {
    if (source.isTransaction) source.exec('ROLLBACK')
    throw error
  }
}

/** Sees one state of the source, whatever is written meanwhile. */
export async function inReading<T>(source: DatabaseSync, work: () => T | Promise<T>): Promise<T> {
  source.exec('BEGIN')
  try {
    return await work()
  } finally {
    source.exec('COMMIT')
  }
}
