import { isUtf8 } from 'node:buffer'

/**
 * The name that `bytes[start, end)` hold. Names in archives are bytes: valid UTF-8 becomes its text, and each byte
 * that is no part of valid UTF-8 becomes the lone surrogate U+DC00 + byte, so that two names that differ in bytes
 * stay two and {@link encodeName} gives the same bytes back.
 */
export function decodeName(bytes: Buffer, start = 0, end = bytes.length): string {
  for (let at = start; at < end; at += 1) {
    if ((bytes[at] ?? 0) >= 0x80) return decodeOther(bytes.subarray(start, end))
  }
  return bytes.toString('latin1', start, end)
}

/** The bytes of a name from {@link decodeName}. Other lone surrogates become U+FFFD, as everywhere in Node. */
export function encodeName(name: string): Buffer {
  if (name.isWellFormed()) return Buffer.from(name, 'utf8')
  const parts: Buffer[] = []
  for (const character of name) {
    const code = character.codePointAt(0) ?? 0
    const escaped = code >= 0xdc80 && code <= 0xdcff
    parts.push(escaped ? Buffer.of(code - 0xdc00) : Buffer.from(character, 'utf8'))
  }
  return Buffer.concat(parts)
}

/** How many bytes a name has in an archive and on disk. */
export function nameLength(name: string): number {
  // A lone surrogate stands for one byte, but Buffer.byteLength counts the three of U+FFFD.
  return name.isWellFormed() ? Buffer.byteLength(name, 'utf8') : encodeName(name).length
}

/**
 * The name for a message: in quotes, at most 200 characters, with control characters, direction marks and escaped
 * bytes written out.
 */
export function shownName(name: string): string {
  const cut = name.length > 200 ? `${name.slice(0, 200)}…` : name
  const plain = cut.replaceAll(
    /["\\\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu,
    (character) => escapes.get(character) ?? `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  )
  return `"${plain}"`
}

const escapes: ReadonlyMap<string, string> = new Map([
  ['"', '\\"'],
  ['\\', '\\\\'],
  ['\n', '\\n'],
  ['\t', '\\t'],
])

function decodeOther(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8')
  let text = ''
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes, at)
    text +=
      length === 0
        ? String.fromCharCode(0xdc00 + (bytes[at] ?? 0))
        : bytes.toString('utf8', at, at + length)
    at += Math.max(length, 1)
  }
  return text
}

/** The length of the UTF-8 character at `at`; 0 when there is none. */
function sequenceLength(bytes: Buffer, at: number): number {
  for (let length = 1; length <= 4 && at + length <= bytes.length; length += 1) {
    if (isUtf8(bytes.subarray(at, at + length))) return length
  }
  return 0
}
