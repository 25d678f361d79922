import type { DatabaseSync } from 'node:sqlite'
import { KatmanError } from '@katman/oci'
import type { Database, SqlValue } from '../database/database.ts'
import { Fingerprint } from './fingerprint.ts'
import type { SourceTable } from './source-tables.ts'
import { isOurs, type SourceRow, valuesOf } from './target-tables.ts'

const pageRows = 1000

/**
 * Compares all rows of all tables, by their number and a hash over their values. Returns how many rows there are.
 *
 * @throws KatmanError `MOVE_FAILED` with the first table that differs.
 */
export async function verifyTables(
  source: DatabaseSync,
  target: Database,
  tables: readonly SourceTable[],
): Promise<number> {
  let rows = 0
  for (const table of tables) {
    const here = new Fingerprint()
    for (const row of source.prepare(`SELECT * FROM "${table.name}"`).iterate()) {
      if (!isOurs(table, row)) here.add(valuesOf(table, row))
    }
    const there = await fingerprintOf(target, table)
    if (here.text !== there.text) {
      throw new KatmanError(
        'MOVE_FAILED',
        `the table ${table.name} is not the same on both sides: ${here.rows} rows here, ${there.rows} there`,
        {
          hint: 'nothing was changed here; make sure that nobody writes to the target, and try again',
        },
      )
    }
    rows += here.rows
  }
  return rows
}

async function fingerprintOf(target: Database, table: SourceTable): Promise<Fingerprint> {
  const fingerprint = new Fingerprint()
  const key = table.key.map((column) => `"${column}"`).join(', ')
  const marks = table.key.map(() => '?').join(', ')
  const select = `SELECT ${table.columns.map((column) => `"${column}"`).join(', ')} FROM "${table.name}"`
  const end = `ORDER BY ${key} LIMIT ${pageRows}`
  let after: readonly SqlValue[] | undefined
  for (;;) {
    const page: readonly SourceRow[] = await (after === undefined
      ? target.all(`${select} ${end}`)
      : target.all(`${select} WHERE (${key}) > (${marks}) ${end}`, after))
    for (const row of page) if (!isOurs(table, row)) fingerprint.add(valuesOf(table, row))
    const last = page.at(-1)
    if (last === undefined || page.length < pageRows) return fingerprint
    after = valuesOf({ ...table, columns: table.key }, last)
  }
}
