import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { displayWidth, shorten } from './display-width.ts'

describe('displayWidth', () => {
  it.each([
    ['', 0],
    ['katman', 6],
    ['Türkçe', 6],
    ['日本語', 6],
    ['한국어', 6],
    ['ａｂ', 4],
    ['😀', 2],
    ['⌚', 2],
    ['✓ …', 3],
  ])('of %s is %i', (text, width) => {
    expect(displayWidth(text)).toBe(width)
  })
})

describe('shorten', () => {
  it('keeps what fits and cuts at a whole character', () => {
    expect(shorten('123456', 6)).toBe('123456')
    expect(shorten('1234567', 6)).toBe('12345…')
    expect(shorten('日本語', 6)).toBe('日本語')
    expect(shorten('日本語の', 6)).toBe('日本…')
    expect(shorten('ab', 1)).toBe('…')
  })

  it('never takes more columns than there are', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.integer({ min: 1, max: 50 }),
        (text, columns) => {
          const shown = shorten(text, columns)
          expect(displayWidth(shown)).toBeLessThanOrEqual(columns)
          if (displayWidth(text) <= columns) expect(shown).toBe(text)
        },
      ),
    )
  })
})
