import { readFile } from 'node:fs/promises'
import { invalid } from './certs-dir.ts'

/** A TOML table. */
export type Table = Readonly<Record<string, unknown>>

/** Reads a TOML file; undefined when there is none. Throws `SETTINGS_INVALID`. */
export async function readToml(file: string): Promise<Table | undefined> {
  let content: string
  try {
    content = await readFile(file, 'utf8')
  } catch {
    return undefined
  }
  // Most machines have no such file: the parser is loaded for those that do.
  const { parse } = await import('smol-toml')
  try {
    return parse(content)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : undefined
    throw invalid(file, `no valid TOML: ${reason ?? 'unknown'}`, cause)
  }
}

/** True for a table (not a list, not a date). */
export function isTable(value: unknown): value is Table {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
  )
}

/** A text field. Throws `SETTINGS_INVALID` when it is something else. */
export function text(table: Table, key: string, file: string): string | undefined {
  const value = table[key]
  if (value === undefined || typeof value === 'string') return value
  throw invalid(file, `${key} is not a text`)
}

/** A yes-or-no field, false when missing. */
export function flag(table: Table, key: string, file: string): boolean {
  const value = table[key]
  if (value === undefined) return false
  if (typeof value === 'boolean') return value
  throw invalid(file, `${key} is not true or false`)
}

/** A text or a list of texts. */
export function texts(table: Table, key: string, file: string): readonly string[] | undefined {
  const value = table[key]
  if (value === undefined) return undefined
  const items: readonly unknown[] = Array.isArray(value) ? value : [value]
  return items.map((item) => {
    if (typeof item === 'string') return item
    throw invalid(file, `${key} is not a list of texts`)
  })
}

/** A list of tables. */
export function tables(table: Table, key: string, file: string): readonly Table[] {
  const value = table[key]
  if (value === undefined) return []
  if (Array.isArray(value) && value.every(isTable)) return value
  throw invalid(file, `${key} is not a list of tables`)
}
