import type { SQLOutputValue } from 'node:sqlite'
import type { Database, SqlValue, Transaction } from '../database/database.ts'
import type { ChangedRow } from './change-log.ts'
import type { SourceTable } from './source-tables.ts'

export type SourceRow = Readonly<Record<string, SQLOutputValue>>

/** So many values fit in a statement of PostgreSQL, with room to spare. */
const valuesAtMost = 8000
const bytesAtMost = 4 * 1024 * 1024

/** Empties the tables, those that refer to others first. */
export async function clearTables(
  transaction: Transaction,
  tables: readonly SourceTable[],
): Promise<void> {
  for (const { name } of tables.toReversed()) {
    await transaction.run(
      name === 'settings'
        ? "DELETE FROM settings WHERE key NOT LIKE 'move%'"
        : `DELETE FROM "${name}"`,
    )
  }
}

/** Copies the rows in batches, each in a transaction of its own. Returns how many there were. */
export async function copyRows(
  target: Database,
  table: SourceTable,
  rows: Iterable<SourceRow>,
): Promise<number> {
  let batch: SqlValue[][] = []
  let bytes = 0
  let count = 0
  const flush = async (): Promise<void> => {
    if (batch.length > 0)
      await target.transaction((transaction) => insert(transaction, table, batch))
    count += batch.length
    batch = []
    bytes = 0
  }
  for (const row of rows) {
    if (isOurs(table, row)) continue
    const values = valuesOf(table, row)
    batch.push(values)
    for (const value of values) bytes += sizeOf(value)
    if (batch.length * table.columns.length >= valuesAtMost || bytes >= bytesAtMost) await flush()
  }
  await flush()
  return count
}

/** Brings changed rows over: first what is gone, then what is there, so that no rule between tables is broken on the way. */
export async function applyChanges(
  transaction: Transaction,
  tables: readonly SourceTable[],
  changes: readonly ChangedRow[],
): Promise<void> {
  for (const table of tables.toReversed()) {
    const where = table.key.map((column) => `"${column}" = ?`).join(' AND ')
    for (const { key, row } of changes.filter((change) => change.table === table)) {
      if (row === undefined)
        await transaction.run(`DELETE FROM "${table.name}" WHERE ${where}`, key)
    }
  }
  for (const table of tables) {
    for (const { row } of changes.filter((change) => change.table === table)) {
      if (row !== undefined && !isOurs(table, row)) {
        await insert(transaction, table, [valuesOf(table, row)])
      }
    }
  }
}

/** Lets the target count on from the numbers that it was given. */
export async function continueCounters(
  transaction: Transaction,
  tables: readonly SourceTable[],
): Promise<void> {
  if (transaction.engine !== 'postgres') return
  for (const { name, key } of tables) {
    const [column] = key
    if (column === undefined || key.length > 1) continue
    const found = await transaction.get<{ readonly sequence: string | null }>(
      'SELECT pg_get_serial_sequence(?, ?) AS sequence',
      [`"${name}"`, column],
    )
    if (found?.sequence === null || found === undefined) continue
    await transaction.all(
      `SELECT setval(?, greatest(coalesce(max("${column}"), 0), 1), count(*) > 0) AS value FROM "${name}"`,
      [found.sequence],
    )
  }
}

/** Our own notes, which differ on both sides. */
export function isOurs(table: SourceTable, row: SourceRow): boolean {
  return table.name === 'settings' && String(row['key']).startsWith('move')
}

export function valuesOf({ columns }: SourceTable, row: SourceRow): SqlValue[] {
  return columns.map((column) => {
    const value = row[column] ?? null
    return typeof value === 'bigint' ? Number(value) : value
  })
}

async function insert(
  transaction: Transaction,
  { name, columns, key }: SourceTable,
  rows: readonly (readonly SqlValue[])[],
): Promise<void> {
  const list = (names: readonly string[]) => names.map((column) => `"${column}"`).join(', ')
  const marks = `(${columns.map(() => '?').join(', ')})`
  const rest = columns.filter((column) => !key.includes(column))
  const update =
    rest.length === 0
      ? 'NOTHING'
      : `UPDATE SET ${rest.map((column) => `"${column}" = excluded."${column}"`).join(', ')}`
  await transaction.run(
    `INSERT INTO "${name}" (${list(columns)}) VALUES ${rows.map(() => marks).join(', ')}
     ON CONFLICT (${list(key)}) DO ${update}`,
    rows.flat(),
  )
}

function sizeOf(value: SqlValue): number {
  if (typeof value === 'string') return value.length
  return value instanceof Uint8Array ? value.byteLength : 8
}
