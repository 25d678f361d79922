import { KatmanError } from '@katman/oci'
import type { Database, Queries } from '../database/database.ts'

/** How far a move came, in the settings of its target. */
export interface MoveMarker {
  /** The registry that moves. */
  readonly source: string
  /** Up to where its log of changes was applied; undefined until all tables were copied once. */
  readonly seq: number | undefined
}

export async function readMarker(database: Queries): Promise<MoveMarker | undefined> {
  const row = await database.get<{ readonly value: string }>(
    "SELECT value FROM settings WHERE key = 'move'",
  )
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only writeMarker writes it
  return row === undefined ? undefined : (JSON.parse(row.value) as MoveMarker)
}

export async function writeMarker(queries: Queries, marker: MoveMarker): Promise<void> {
  await queries.run(
    `INSERT INTO settings (key, value) VALUES ('move', ?)
     ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
    [JSON.stringify(marker)],
  )
}

export async function removeMarker(queries: Queries): Promise<void> {
  await queries.run("DELETE FROM settings WHERE key = 'move'")
}

/** @throws KatmanError `DATABASE_MOVING` while a registry moves into this database. */
export async function refuseUnfinishedMove(database: Database): Promise<void> {
  if ((await readMarker(database)) === undefined) return
  throw new KatmanError('DATABASE_MOVING', 'a registry is still moving into this database', {
    hint: 'wait for katman registry move, or run it again',
  })
}
