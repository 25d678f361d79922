const named: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
}

/** A text as Go's `%q` prints it: double quotes, escapes for all that is not printable. */
export function quoteGo(text: string): string {
  return quoteWith(text, '"')
}

/** A single character as Go's `%q` prints a rune: `'x'`. */
export function quoteGoRune(character: string): string {
  return quoteWith(character, "'")
}

function quoteWith(text: string, quote: string): string {
  let quoted = quote
  for (const character of text) quoted += quoteCharacter(character, quote)
  return quoted + quote
}

function quoteCharacter(character: string, quote: string): string {
  if (character === quote) return `\\${quote}`
  const short = named[character]
  if (short !== undefined) return short
  if (character === ' ' || /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(character)) return character
  const code = character.codePointAt(0) ?? 0
  if (code < 0x20 || code === 0x7f) return `\\x${hex(code, 2)}`
  if (code >= 0xd800 && code <= 0xdfff) return '\ufffd'
  return code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0')
}
