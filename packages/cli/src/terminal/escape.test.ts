import { assert, property, string } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { escapeTerminal } from './escape.ts'

const escape = '\x1b'
/** What terminals have been attacked with: sequences, single controls, invisible and turning characters. */
const attacks: readonly string[] = [
  ...'[2J [31m [1A [2K [6n [?1049h [0c [>c [20t [5i [1;1H [s c 7 #8 (0 = N'
    .split(' ')
    .map((sequence) => escape + sequence),
  ...']0;title\x07 ]52;c;aGk=\x07 ]8;;http://evil\x1b\\ ]4;0;?\x07 ]50;x\x07 ]1337;x\x07'
    .split(' ')
    .map((sequence) => escape + sequence),
  ...'P$q"p\x1b\\ P1$r\x1b\\ _x\x1b\\ ^x\x1b\\ Xx\x1b\\'
    .split(' ')
    .map((sequence) => escape + sequence),
  ...'\x9b2J \x9d0;x\x9c \x90x\x9c \x84 \x85 \x8d \x98x\x9c \x9e \x9f \x80'.split(' '),
  ...'\0 \x01 \x05 \x07 \b \v \f \r \x0e \x0f \x18 \x1a \x7f'.split(' '),
  ...'\u202a \u202b \u202c \u202d \u202e \u2066 \u2067 \u2068 \u2069 \u200e \u200f'.split(' '),
  ...'\u200b \u200c \u200d \ufeff \u2060 \ud800 \udfff a\ud83d'.split(' '),
]

const obeyed =
  /[\0-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]|\p{Surrogate}/u

describe('escapeTerminal', () => {
  it('knows at least 64 attacks', () => {
    expect(attacks.length).toBeGreaterThanOrEqual(64)
  })

  it.each(attacks.map((attack) => [JSON.stringify(attack), attack]))('disarms %s', (_, attack) => {
    for (const text of [attack, `a${attack}b`, `${attack}${attack}`]) {
      for (const newlines of [false, true]) {
        const shown = escapeTerminal(text, { newlines })
        expect(shown).not.toMatch(obeyed)
        expect(shown).toContain('\\')
      }
    }
  })

  it.each([
    ['\x1b[31m', '\\x1b[31m'],
    ['\u202e', '\\u202e'],
    ['\x9b', '\\x9b'],
    ['\ud800', '\\ud800'],
    ['a\r\nb\tc', 'a\\r\\nb\\tc'],
    ['Türkçe 日本 😀 é <none> "q" \\x', 'Türkçe 日本 😀 é <none> "q" \\x'],
  ])('shows %j as %j', (text, shown) => {
    expect(escapeTerminal(text)).toBe(shown)
  })

  it('lets line feeds and tabs through when asked, never returns', () => {
    expect(escapeTerminal('a\r\nb\tc', { newlines: true })).toBe('a\\r\nb\tc')
  })

  it('leaves nothing a terminal obeys, and changes nothing the second time', () => {
    assert(
      property(string({ unit: 'binary' }), (text) => {
        const once = escapeTerminal(text)
        expect(once).not.toMatch(obeyed)
        expect(escapeTerminal(once)).toBe(once)
      }),
    )
  })
})
