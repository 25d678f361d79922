import type { DatabaseSync } from 'node:sqlite'
import { KatmanError } from '@katman/oci'

/** A table that moves, as the source has it. */
export interface SourceTable {
  readonly name: string
  readonly columns: readonly string[]
  /** The columns of its primary key. */
  readonly key: readonly string[]
}

/** What stays behind: our own notes, and uploads under way, which clients begin again. */
const staying = new Set(['schema_migrations', 'uploads', 'move_log'])

/** All tables that move; one that refers to another comes after it. */
export function readTables(source: DatabaseSync): readonly SourceTable[] {
  const names = source
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .all()
    .map(({ name }) => String(name))
    .filter((name) => !staying.has(name))
    .toSorted()
  const ordered = new Map<string, SourceTable>()
  const visit = (name: string): void => {
    if (ordered.has(name) || staying.has(name)) return
    const parents = source.prepare(`PRAGMA foreign_key_list("${name}")`).all()
    for (const { table } of parents) if (table !== name) visit(String(table))
    ordered.set(name, readTable(source, name))
  }
  for (const name of names) visit(name)
  return [...ordered.values()]
}

function readTable(source: DatabaseSync, name: string): SourceTable {
  const columns = source.prepare(`PRAGMA table_info("${name}")`).all()
  const key = columns
    .filter(({ pk }) => Number(pk) > 0)
    .toSorted((one, other) => Number(one['pk']) - Number(other['pk']))
    .map((column) => String(column['name']))
  if (key.length === 0) {
    throw new KatmanError('MOVE_FAILED', `the table ${name} has no primary key`, {
      hint: 'remove tables that are not the registry’s own',
    })
  }
  return { name, columns: columns.map((column) => String(column['name'])), key }
}
