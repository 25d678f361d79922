import { describe, expect, it } from 'vitest'
import { matchesName } from './name-pattern.ts'

describe('matchesName', () => {
  it.each([
    ['library/*', 'library/alpine', true],
    ['library/*', 'library/a/b', false],
    ['library/**', 'library/a/b', true],
    ['**', 'a/b/c', true],
    ['**/app', 'a/b/app', true],
    ['*/app', 'a/b/app', false],
    ['team/*-prod', 'team/a-b-prod', true],
    ['team/*-prod', 'team/a-b-prod-x', false],
    ['a*b*c', 'aXbXbXc', true],
    ['a', 'ab', false],
    ['', '', true],
    ['v1.*', 'v1x2', false],
  ])('%s and %s: %s', (pattern, name, expected) => {
    expect(matchesName(pattern, name)).toBe(expected)
  })

  it('does not take long for many stars', () => {
    const before = performance.now()
    expect(matchesName(`${'*a'.repeat(50)}b`, 'a'.repeat(255))).toBe(false)
    expect(matchesName(`${'**a'.repeat(50)}b`, 'a'.repeat(255))).toBe(false)
    expect(performance.now() - before).toBeLessThan(500)
  })
})
