import { describe, expect, it } from 'vitest'
import { covers, isPattern, matches, namespaceOfPattern } from './pattern.ts'

describe('patterns of repositories', () => {
  it('match part by part', () => {
    for (const [pattern, repository, expected] of [
      ['team/app', 'team/app', true],
      ['team/app', 'team/app2', false],
      ['team/*', 'team/app', true],
      ['team/*', 'team/app/cache', false],
      ['team/*', 'team2/app', false],
      ['team/**', 'team/app', true],
      ['team/**', 'team/app/cache', true],
      ['team/**', 'team', false],
      ['team/**', 'teams/app', false],
      ['*/app', 'team/app', true],
      ['team/*-cache', 'team/app-cache', true],
      ['team/*-cache', 'team/app-cache-2', false],
      ['team/a*b*c', 'team/aXbXbc', true],
      ['**', 'a/b/c', true],
      ['**', 'alpine', true],
      ['alpine', 'alpine', true],
      ['alpine', 'library/alpine', true],
      ['library/*', 'alpine', true],
      ['*', 'alpine', true],
      ['*', 'team/app', false],
    ] as const) {
      expect(matches(pattern, repository), `${pattern} ${repository}`).toBe(expected)
    }
  })

  it('are read strictly', () => {
    for (const pattern of ['team/*', '**', 'a/**', 'a.b/c_d', 'team/*-cache', '*'])
      expect(isPattern(pattern), pattern).toBe(true)
    for (const pattern of [
      '',
      'a/**/b',
      '**/b',
      'a//b',
      '/a',
      'a/',
      'A',
      '../a',
      'a b',
      'a/***',
      '_catalog',
    ])
      expect(isPattern(pattern), pattern).toBe(false)
  })

  it('cover others only where that is certain', () => {
    for (const [outer, inner, expected] of [
      ['team/**', 'team/*', true],
      ['team/**', 'team/a/**', true],
      ['team/**', '**', false],
      ['library/**', '**', false],
      ['*/**', '**', false],
      ['team/*', 'team/**', false],
      ['team/*', 'team/a', true],
      ['team/*', 'team/a*', true],
      ['team/a*', 'team/*', false],
      ['team/**', 'team2/*', false],
      ['team/**', '*/a', false],
      ['**', 'x/*', true],
      ['team/app', 'team/app', true],
    ] as const) {
      expect(covers(outer, inner), `${outer} ${inner}`).toBe(expected)
    }
  })

  it('belong to a namespace when they can match in one only', () => {
    expect(['team/**', 'alpine', '*/a', 't*/a', '**', '*'].map(namespaceOfPattern)).toEqual([
      'team',
      'library',
      undefined,
      undefined,
      undefined,
      'library',
    ])
  })

  it('take no time with many stars', () => {
    const pattern = `team/${'*a'.repeat(100)}b`
    const started = performance.now()
    expect(matches(pattern, `team/${'a'.repeat(240)}`)).toBe(false)
    expect(performance.now() - started).toBeLessThan(200)
  })
})
