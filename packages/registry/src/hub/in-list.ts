import type { Queries, SqlValue } from '../database/database.ts'

const listSize = 100

/** `?, ?, …` for the list of `allIn`. */
export const listMarks = Array.from({ length: listSize }, () => '?').join(', ')

/**
 * Runs a statement that ends in a list of `listMarks`, as often as the values need: it stays one text, which the database keeps
 * prepared.
 */
export async function allIn<T extends object>(
  queries: Queries,
  sql: string,
  before: readonly SqlValue[],
  values: readonly SqlValue[],
): Promise<readonly T[]> {
  const rows: T[] = []
  for (let at = 0; at < values.length; at += listSize) {
    const part = values.slice(at, at + listSize)
    const padded = [...part, ...Array.from({ length: listSize - part.length }, () => part[0] ?? '')]
    rows.push(...(await queries.all<T>(sql, [...before, ...padded])))
  }
  return rows
}
