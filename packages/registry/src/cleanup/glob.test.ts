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
    ['team/*', 'team/app', true],
    ['team/*', 'team/app/deep', false],
    ['team/**', 'team/app/deep', true],
    ['**/cache', 'team/app/cache', true],
    ['**', 'anything/at/all', true],
    ['*', 'a/b', false],
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
    ['team/*', true],
    ['', false],
    ['a b', false],
    ['***', false],
    ['x'.repeat(256), false],
  ])('%s: %s', (text, expected) => {
    expect(isGlob(text)).toBe(expected)
  })
})
