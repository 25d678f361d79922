import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { codeOf } from '../test/codes.ts'
import { JsonNumber, maxDocumentBytes, parseJson } from './json.ts'

const read = (text: string | Uint8Array): unknown =>
  parseJson(typeof text === 'string' ? Buffer.from(text) : text, 'document')

describe('parseJson', () => {
  it('reads what JSON.parse reads, the same', () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ depthSize: 'small' }),
        fc.constantFrom('', '  '),
        (value, indent) => {
          const text = JSON.stringify(value, undefined, indent)
          if (!text.isWellFormed() || /\\ud[89a-f]/i.test(text)) return
          const plain = JSON.parse(JSON.stringify(read(text), numbers)) as unknown
          expect(plain).toEqual(JSON.parse(text))
        },
      ),
      { numRuns: 500 },
    )
  })

  it('refuses what JSON.parse refuses, with one code', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[[\]{}",:0-9etrufalsn\\ .+-]{0,20}$/), (text) => {
        const code = codeOf(() => read(text))
        if (code !== undefined) expect(code).toBe('JSON_INVALID')
        else expect(() => JSON.parse(text) as unknown).not.toThrow()
      }),
      { numRuns: 3000 },
    )
  })

  it.each([
    ['an empty document', ''],
    ['a byte order mark', '\ufeff{}'],
    ['something behind the value', '{} {}'],
    ['a NUL behind the value', '{}\0'],
    ['a comma too many', '[1,]'],
    ['a duplicate key', '{"a":1,"a":2}'],
    ['a duplicate key, written otherwise', '{"a":1,"\\u0061":2}'],
    ['a lone surrogate', '{"a":"\\ud800"}'],
    ['a control character', '"\u0001"'],
    ['a line feed in a string', '"a\nb"'],
    ['a number with a leading zero', '01'],
    ['a number with a plus', '+1'],
    ['a bare point', '1.'],
    ['NaN', 'NaN'],
    ['a hexadecimal number', '0x1'],
    ['a comment', '{} // x'],
    ['single quotes', "{'a':1}"],
    ['other white space', '\u00a0{}'],
    ['a number of 401 characters', '1'.repeat(401)],
  ])('refuses %s', (_, text) => {
    expect(codeOf(() => read(text))).toBe('JSON_INVALID')
  })

  it('refuses bytes that are no UTF-8', () => {
    for (const bytes of [
      [0x22, 0xff, 0x22],
      [0x22, 0xc0, 0xaf, 0x22],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
    ]) {
      expect(codeOf(() => read(Uint8Array.from(bytes)))).toBe('JSON_INVALID')
    }
  })

  it('has limits: 4 MiB, 64 levels', () => {
    expect(codeOf(() => read(`"${'a'.repeat(maxDocumentBytes)}"`))).toBe('JSON_INVALID')
    expect(codeOf(() => read(`"${'a'.repeat(maxDocumentBytes - 2)}"`))).toBeUndefined()
    const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
    expect(codeOf(() => read(nested(64)))).toBeUndefined()
    expect(codeOf(() => read(nested(66)))).toBe('JSON_INVALID')
    expect(codeOf(() => read('['.repeat(1_000_000)))).toBe('JSON_INVALID')
  })

  it('keeps numbers that are no plain integers as they are written', () => {
    expect(read('9007199254740991')).toBe(Number.MAX_SAFE_INTEGER)
    for (const text of ['9007199254740992', '-1', '-0', '1.0', '1e3', '0.5']) {
      expect(read(text)).toEqual(new JsonNumber(text))
    }
  })

  it('takes __proto__ and constructor for keys like others', () => {
    const value = read('{"__proto__":{"polluted":1},"constructor":2}')
    expect(Object.keys(value as object)).toEqual(['__proto__', 'constructor'])
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  })

  it('names the document and the place', () => {
    expect(() => read('{"a" 1}')).toThrow(/^document: /)
  })
})

function numbers(_: string, value: unknown): unknown {
  return value instanceof JsonNumber ? Number(value.text) : value
}
