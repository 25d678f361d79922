import { assert, jsonValue, property } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { goJson } from './go-json.ts'

describe('goJson', () => {
  it.each([
    ['<a> & b', '"\\u003ca\\u003e \\u0026 b"'],
    ['\u2028\u2029', '"\\u2028\\u2029"'],
    ['\ud800', '"\ufffd"'],
    ['\x1b\x9b\u202e', '"\\u001b\\u009b\\u202e"'],
    [
      new Map<string, unknown>([
        ['b', 1],
        ['a', null],
        ['10', 2],
        ['9', 3],
      ]),
      '{"10":2,"9":3,"a":null,"b":1}',
    ],
    [{ b: undefined, a: 1n, c: () => 1, d: new Date(0) }, '{"a":1,"d":"1970-01-01T00:00:00.000Z"}'],
    [[], '[]'],
    [undefined, 'null'],
  ])('case %# is written as Go writes it', (value, text) => {
    expect(goJson(value)).toBe(text)
  })

  it('keeps HTML characters when told, never the line separators', () => {
    expect(goJson('<&>\u2028', '', { escapesHtml: false })).toBe('"<&>\\u2028"')
  })

  it('says the same as JSON.stringify, in the same layout', () => {
    assert(
      property(jsonValue(), (value) => {
        expect(JSON.parse(goJson(value))).toEqual(JSON.parse(JSON.stringify(value)))
        expect(JSON.parse(goJson(value, '  '))).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
    const value = { a: [1, { b: [] }], c: {} }
    expect(goJson(value, '  ')).toBe(JSON.stringify(value, undefined, 2))
  })

  it('refuses a circle', () => {
    const circle: unknown[] = []
    circle.push(circle)
    expect(() => goJson(circle)).toThrow(RangeError)
  })
})
