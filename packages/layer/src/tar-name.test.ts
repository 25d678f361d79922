import { describe, expect, it } from 'vitest'
import * as fc from 'fast-check'
import { decodeName, encodeName, nameLength, shownName } from './tar-name.ts'

describe('decodeName and encodeName', () => {
  it('are inverse for any bytes, so that different bytes are different names', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc
        .array(fc.constantFrom(0xed, 0xb2, 0x80, 0xf0, 0x9f, 0x98, 0xc3, 0xff, 0x41))
        .map((list) => Uint8Array.from(list)),
    )
    fc.assert(
      fc.property(bytes, (given) => {
        const name = decodeName(Buffer.from(given))
        expect(Uint8Array.from(encodeName(name))).toEqual(given)
        expect(nameLength(name)).toBe(given.length)
      }),
      { numRuns: 2000 },
    )
  })

  it('read UTF-8 as text', () => {
    expect(decodeName(Buffer.from('Ağrı/😀'))).toBe('Ağrı/😀')
    expect(decodeName(Buffer.from([0x61, 0xff]))).toBe('a\udcff')
  })
})

describe('shownName', () => {
  it('writes out what a terminal would obey', () => {
    expect(shownName('a\u001b[2J"\\\u009b\u202e\udcff\n')).toBe(
      '"a\\u{1b}[2J\\"\\\\\\u{9b}\\u{202e}\\u{dcff}\\n"',
    )
    expect(shownName('Ağrı')).toBe('"Ağrı"')
    expect(shownName('x'.repeat(5000)).length).toBeLessThan(300)
  })
})
