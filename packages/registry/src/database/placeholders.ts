/**
 * The same SQL with `$1`, `$2`, … for each `?` that stands for a value: not in a string, a quoted name or a comment.
 */
export function numberPlaceholders(sql: string): string {
  let numbered = ''
  let count = 0
  for (let at = 0; at < sql.length;) {
    const end = quotedEnd(sql, at)
    if (end > at) {
      numbered += sql.slice(at, end)
      at = end
      continue
    }
    const letter = sql.charAt(at)
    numbered += letter === '?' ? `$${++count}` : letter
    at += 1
  }
  return numbered
}

/** Where what begins at `at` ends when no placeholder can be in it; `at` itself otherwise. */
function quotedEnd(sql: string, at: number): number {
  const letter = sql.charAt(at)
  // A doubled quote ends one string and begins the next: the same text.
  if (letter === "'" || letter === '"') return after(sql, letter, at + 1)
  if (sql.startsWith('--', at)) return after(sql, '\n', at + 2)
  if (sql.startsWith('/*', at)) return after(sql, '*/', at + 2)
  return at
}

function after(sql: string, mark: string, from: number): number {
  const found = sql.indexOf(mark, from)
  return found === -1 ? sql.length : found + mark.length
}
