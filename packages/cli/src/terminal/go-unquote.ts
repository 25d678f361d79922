const escapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
}

const escape = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))/gsu

/**
 * The content of a Go string (`"a\n"`), raw string or character constant; undefined when it is malformed. Byte escapes
 * beyond ASCII (`\xff`) are taken as the character of that number.
 */
export function unquoteGo(source: string): string | undefined {
  const quote = source[0]
  const body = source.slice(1, -1)
  if (quote === '`') return body.replaceAll('\r', '')
  let isValid = source.length >= 2 && !body.includes('\n')
  const content = body.replace(escape, (whole, x, u, U, octal, letter: string | undefined) => {
    if (letter !== undefined) {
      const plain =
        letter === "'" || letter === '"' ? (letter === quote ? letter : undefined) : escapes[letter]
      if (plain === undefined) isValid = false
      return plain ?? whole
    }
    const code = octal === undefined ? parseInt(x ?? u ?? U, 16) : parseInt(octal, 8)
    const isCharacter = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)
    if (!isCharacter || (octal !== undefined && code > 255)) isValid = false
    return isCharacter ? String.fromCodePoint(code) : whole
  })
  if (quote === "'" && Array.from(content).length !== 1) isValid = false
  return isValid ? content : undefined
}
