import { describe, expect, it } from 'vitest'
import { isGlob, matchesGlob } from './glob.ts'

describe('matchesGlob', () => {
  it.each([
    ['v1.0', 'v1.0', true],
    ['v1.0', 'v1x0', false],
    ['v*', 'v', true],
    ['v*.*', 'v1.2.3', true],
    ['*-rc*', 'v1-rc.1', true],
    ['*-rc', 'v1-rc.1', false],
    ['*', 'anything', true],
    ['**', 'anything', true],
    ['', '', true],
  ])('%s and %s: %s', (pattern, text, expected) => {
    expect(matchesGlob(pattern, text)).toBe(expected)
  })

  it('takes no longer for a pattern made to be slow', () => {
    const start = performance.now()
    expect(matchesGlob(`${'*a'.repeat(120)}b`, 'a'.repeat(255))).toBe(false)
    expect(performance.now() - start).toBeLessThan(200)
  })
})

describe('isGlob', () => {
  it.each([
    ['v1.*-rc_2', true],
    ['', false],
    ['a b', false],
    ['a/b', false],
    ['x'.repeat(129), false],
  ])('%s: %s', (text, expected) => {
    expect(isGlob(text)).toBe(expected)
  })
})
