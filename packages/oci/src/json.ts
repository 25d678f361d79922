import { KatmanError } from './error.ts'

/** A number whose text is no plain integer up to 2^53-1 (`1.0`, `-1`, `1e3`); kept as written. */
export class JsonNumber {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

export type JsonValue = string | number | boolean | null | JsonNumber | JsonValue[] | JsonObject
/** An object without a prototype, so that `__proto__` is a key like any other. */
export interface JsonObject {
  [key: string]: JsonValue
}

export interface JsonLimits {
  /** Largest document in bytes. Default 4 MiB. */
  readonly maxBytes?: number
  /** Deepest nesting of arrays and objects. Default 64. */
  readonly maxDepth?: number
}

/** The largest manifest, index or config accepted, in bytes. */
export const maxDocumentBytes = 4 * 1024 * 1024

/**
 * Reads JSON that every parser reads alike: UTF-8 without BOM, no duplicate keys, no lone surrogate,
 * nothing after the value. `what` names the document in errors. Throws `JSON_INVALID`.
 */
export function parseJson(bytes: Uint8Array, what: string, limits: JsonLimits = {}): JsonValue {
  const maxBytes = limits.maxBytes ?? maxDocumentBytes
  if (bytes.byteLength > maxBytes) {
    throw invalid(what, `${bytes.byteLength} bytes exceed the limit of ${maxBytes}`)
  }
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw invalid(what, 'not valid UTF-8', cause)
  }
  const parser = new Parser(text, what, limits.maxDepth ?? 64)
  return parser.document()
}

const numberShape = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
const plainInteger = /^(?:0|[1-9][0-9]*)$/
const stringChunk = /[^"\\\u0000-\u001f]*/y
const space = /[ \t\n\r]*/y
const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}

class Parser {
  #at = 0
  readonly #text: string
  readonly #what: string
  readonly #maxDepth: number

  constructor(text: string, what: string, maxDepth: number) {
    this.#text = text
    this.#what = what
    this.#maxDepth = maxDepth
  }

  document(): JsonValue {
    const value = this.#value(0)
    this.#skipSpace()
    if (this.#at !== this.#text.length) throw this.#unexpected('after top-level value')
    return value
  }

  #value(depth: number): JsonValue {
    if (depth > this.#maxDepth) throw invalid(this.#what, `nested deeper than ${this.#maxDepth}`)
    this.#skipSpace()
    const first = this.#text[this.#at]
    if (first === '{') return this.#object(depth)
    if (first === '[') return this.#array(depth)
    if (first === '"') return this.#string()
    if (first === 't') return this.#word('true', true)
    if (first === 'f') return this.#word('false', false)
    if (first === 'n') return this.#word('null', null)
    return this.#number()
  }

  #object(depth: number): JsonObject {
    const result = Object.create(null) as JsonObject
    this.#at++
    if (this.#take('}')) return result
    do {
      this.#skipSpace()
      if (this.#text[this.#at] !== '"') {
        throw this.#unexpected('looking for beginning of object key string')
      }
      const key = this.#string()
      if (key in result) throw invalid(this.#what, `duplicate key ${JSON.stringify(key)}`)
      if (!this.#take(':')) throw this.#unexpected('after object key')
      result[key] = this.#value(depth + 1)
    } while (this.#take(','))
    if (!this.#take('}')) throw this.#unexpected('after object key:value pair')
    return result
  }

  #array(depth: number): JsonValue[] {
    const result: JsonValue[] = []
    this.#at++
    if (this.#take(']')) return result
    do result.push(this.#value(depth + 1))
    while (this.#take(','))
    if (!this.#take(']')) throw this.#unexpected('after array element')
    return result
  }

  #string(): string {
    this.#at++
    let result = ''
    for (;;) {
      stringChunk.lastIndex = this.#at
      result += stringChunk.exec(this.#text)?.[0] ?? ''
      this.#at = stringChunk.lastIndex
      const next = this.#text[this.#at]
      if (next === '"') {
        this.#at++
        break
      }
      if (next !== '\\') throw this.#unexpected('in string literal')
      result += this.#escape()
    }
    if (!result.isWellFormed()) throw invalid(this.#what, 'a string holds a lone surrogate')
    return result
  }

  #escape(): string {
    const letter = this.#text[this.#at + 1] ?? ''
    if (letter === 'u') {
      const hex = this.#text.slice(this.#at + 2, this.#at + 6)
      if (!/^[0-9a-fA-F]{4}$/.test(hex))
        throw this.#unexpected('in \\u hexadecimal character escape')
      this.#at += 6
      return String.fromCharCode(Number.parseInt(hex, 16))
    }
    const plain = escapes[letter]
    if (plain === undefined) throw this.#unexpected('in string escape code')
    this.#at += 2
    return plain
  }

  #number(): number | JsonNumber {
    numberShape.lastIndex = this.#at
    const text = numberShape.exec(this.#text)?.[0]
    if (text === undefined) throw this.#unexpected('looking for beginning of value')
    this.#at = numberShape.lastIndex
    if (text.length > 400) throw invalid(this.#what, 'a number has more than 400 characters')
    if (plainInteger.test(text) && Number.isSafeInteger(Number(text))) return Number(text)
    return new JsonNumber(text)
  }

  #word<T extends boolean | null>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#unexpected(`in literal ${word}`)
    this.#at += word.length
    return value
  }

  #take(character: string): boolean {
    this.#skipSpace()
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }

  #skipSpace(): void {
    space.lastIndex = this.#at
    space.exec(this.#text)
    this.#at = space.lastIndex
  }

  #unexpected(where: string): KatmanError {
    const found = this.#text.codePointAt(this.#at)
    if (found === undefined) return invalid(this.#what, 'unexpected end of JSON input')
    const shown = JSON.stringify(String.fromCodePoint(found)).slice(1, -1)
    return invalid(this.#what, `invalid character '${shown}' ${where}`)
  }
}

function invalid(what: string, reason: string, cause?: unknown): KatmanError {
  return new KatmanError('JSON_INVALID', `${what}: ${reason}`, {
    hint: 'the document is damaged or was not made by an image tool',
    details: { what, reason },
    ...(cause === undefined ? {} : { cause }),
  })
}
