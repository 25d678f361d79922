/**
 * JSON as Go's encoder writes it: `<`, `>`, `&` and the two line separators escaped. Keys keep their
 * order; `undefined` is left out. With `indent`, one value a line.
 */
export function goJson(value: unknown, indent?: string): string {
  const text = JSON.stringify(value, mapToObject, indent) ?? 'null'
  return text.replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function mapToObject(_key: string, value: unknown): unknown {
  return value instanceof Map ? Object.fromEntries(value) : value
}
