import { quoteGo } from './go-quote.ts'

export type TokenType =
  | 'text'
  | 'left'
  | 'right'
  | 'space'
  | 'pipe'
  | 'declare'
  | 'assign'
  | 'char'
  | 'lparen'
  | 'rparen'
  | 'field'
  | 'variable'
  | 'identifier'
  | 'dot'
  | 'nil'
  | 'bool'
  | 'number'
  | 'rune'
  | 'string'
  | 'keyword'
  | 'eof'
  | 'error'

export interface Token {
  readonly type: TokenType
  /** The source text; the message of an error. */
  readonly value: string
  /** Offset in the template, in UTF-16 units. */
  readonly position: number
  /** Line of the token's start, from 1. */
  readonly line: number
}

const keywords = new Set([
  'block',
  'break',
  'continue',
  'define',
  'else',
  'end',
  'if',
  'range',
  'template',
  'with',
])

/** Tokens of a Go template, lazily, so that a parse error before a lexical one wins. Ends in `eof` or `error`. */
export function* lexTemplate(text: string): Generator<Token, void, undefined> {
  let position = 0
  let line = 1
  let depth = 0

  const token = (type: TokenType, end: number): Token => {
    const value = text.slice(position, end)
    const made: Token = { type, value, position, line }
    advance(end)
    return made
  }
  const failure = (message: string): Token => ({ type: 'error', value: message, position, line })
  const advance = (end: number): void => {
    for (let at = position; at < end; at++) if (text[at] === '\n') line++
    position = end
  }

  let trimsNext = false
  for (;;) {
    if (trimsNext) {
      while (isSpace(text[position])) advance(position + 1)
      trimsNext = false
    }
    const open = text.indexOf('{{', position)
    const end = open < 0 ? text.length : open
    const trimsBefore = open >= 0 && text[open + 2] === '-' && isSpace(text[open + 3])
    const textEnd = trimsBefore ? trimEnd(text, position, end) : end
    if (textEnd > position) yield token('text', textEnd)
    advance(end)
    if (open < 0) {
      yield token('eof', end)
      return
    }
    const inside = open + (trimsBefore ? 4 : 2)
    if (text.startsWith('/*', inside)) {
      advance(inside)
      const close = text.indexOf('*/', position)
      if (close < 0) {
        yield failure('unclosed comment')
        return
      }
      const delimiter = rightDelimiter(text, close + 2)
      if (delimiter === undefined) {
        yield failure('comment ends before closing delimiter')
        return
      }
      advance(delimiter.end)
      trimsNext = delimiter.trims
      continue
    }
    yield token('left', open + 2)
    if (trimsBefore) advance(inside)
    depth = 0
    for (;;) {
      const delimiter = rightDelimiter(text, position)
      if (delimiter !== undefined) {
        if (depth > 0) {
          yield failure('unclosed left paren')
          return
        }
        if (delimiter.trims) advance(delimiter.end - 2)
        yield token('right', delimiter.end)
        trimsNext = delimiter.trims
        break
      }
      const next = lexInside(text, position)
      if (next.type === 'error') {
        yield failure(next.message)
        return
      }
      if (next.type === 'lparen') depth++
      if (next.type === 'rparen' && --depth < 0) {
        yield failure('unexpected right paren')
        return
      }
      yield token(next.type, next.end)
    }
  }
}

type Lexeme =
  | { readonly type: Exclude<TokenType, 'error'>; readonly end: number }
  | { readonly type: 'error'; readonly message: string }

function lexInside(text: string, position: number): Lexeme {
  const character = text[position]
  if (character === undefined) return bad('unclosed action')
  if (isSpace(character)) return { type: 'space', end: endOfSpace(text, position) }
  switch (character) {
    case '=':
      return { type: 'assign', end: position + 1 }
    case ':':
      return text[position + 1] === '='
        ? { type: 'declare', end: position + 2 }
        : bad('expected :=')
    case '|':
      return { type: 'pipe', end: position + 1 }
    case '(':
      return { type: 'lparen', end: position + 1 }
    case ')':
      return { type: 'rparen', end: position + 1 }
    case '"':
      return lexQuoted(text, position, '"', 'string', 'unterminated quoted string')
    case "'":
      return lexQuoted(text, position, "'", 'rune', 'unterminated character constant')
    case '`': {
      const close = text.indexOf('`', position + 1)
      return close < 0 ? bad('unterminated raw quoted string') : { type: 'string', end: close + 1 }
    }
    case '$':
      return lexName(text, position, 'variable')
    case '.':
      if (!/[0-9]/.test(text[position + 1] ?? '')) return lexName(text, position, 'field')
      return lexNumber(text, position)
  }
  if (/[-+0-9]/.test(character)) return lexNumber(text, position)
  if (isNameCharacter(codePoint(text, position))) return lexWord(text, position)
  if (character > ' ' && character <= '~') return { type: 'char', end: position + 1 }
  return bad(`unrecognized character in action: ${showCharacter(text, position)}`)
}

function bad(message: string): Lexeme {
  return { type: 'error', message }
}

function lexQuoted(
  text: string,
  position: number,
  quote: string,
  type: 'string' | 'rune',
  unterminated: string,
): Lexeme {
  for (let at = position + 1; at < text.length; at++) {
    const character = text[at]
    if (character === '\n') break
    if (character === quote) return { type, end: at + 1 }
    if (character === '\\') {
      at++
      if (text[at] === '\n') break
    }
  }
  return bad(unterminated)
}

function lexName(text: string, position: number, type: 'field' | 'variable'): Lexeme {
  const end = endOfName(text, position + 1)
  if (!isTerminator(text, end)) return bad(`bad character ${showCharacter(text, end)}`)
  return { type: type === 'field' && end === position + 1 ? 'dot' : type, end }
}

function lexWord(text: string, position: number): Lexeme {
  const end = endOfName(text, position)
  if (!isTerminator(text, end)) return bad(`bad character ${showCharacter(text, end)}`)
  const word = text.slice(position, end)
  if (word === 'nil') return { type: 'nil', end }
  if (word === 'true' || word === 'false') return { type: 'bool', end }
  return { type: keywords.has(word) ? 'keyword' : 'identifier', end }
}

const numberText =
  /[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?|0[bB][01_]*|0[oO][0-7_]*|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)/y

function lexNumber(text: string, position: number): Lexeme {
  numberText.lastIndex = position
  const end = position + (numberText.exec(text)?.[0].length ?? 0)
  if (isNameCharacter(codePoint(text, end))) {
    const seen = text.slice(position, end) + String.fromCodePoint(codePoint(text, end))
    return bad(`bad number syntax: ${quoteGo(seen)}`)
  }
  return { type: 'number', end }
}

function rightDelimiter(
  text: string,
  position: number,
): { readonly end: number; readonly trims: boolean } | undefined {
  if (isSpace(text[position]) && text.startsWith('-}}', position + 1)) {
    return { end: position + 4, trims: true }
  }
  return text.startsWith('}}', position) ? { end: position + 2, trims: false } : undefined
}

/** Blanks, but not the one that belongs to a trimming ` -}}`. */
function endOfSpace(text: string, position: number): number {
  let end = position
  while (isSpace(text[end]) && rightDelimiter(text, end) === undefined) end++
  return end
}

function endOfName(text: string, position: number): number {
  let end = position
  while (isNameCharacter(codePoint(text, end))) end += codePoint(text, end) > 0xffff ? 2 : 1
  return end
}

function isTerminator(text: string, position: number): boolean {
  const character = text[position]
  if (character === undefined || isSpace(character)) return true
  return '.,|:)('.includes(character) || text.startsWith('}}', position)
}

function isSpace(character: string | undefined): boolean {
  return character === ' ' || character === '\t' || character === '\r' || character === '\n'
}

function isNameCharacter(code: number): boolean {
  if (code < 0x80) return /[A-Za-z0-9_]/.test(String.fromCharCode(code))
  return /[\p{L}\p{Nd}]/u.test(String.fromCodePoint(code))
}

function codePoint(text: string, position: number): number {
  return text.codePointAt(position) ?? 0
}

function showCharacter(text: string, position: number): string {
  const code = codePoint(text, position)
  const hex = code.toString(16).toUpperCase().padStart(4, '0')
  const isPrintable = /^[ \p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(String.fromCodePoint(code))
  return isPrintable ? `U+${hex} '${String.fromCodePoint(code)}'` : `U+${hex}`
}

function trimEnd(text: string, start: number, end: number): number {
  let at = end
  while (at > start && isSpace(text[at - 1])) at--
  return at
}
