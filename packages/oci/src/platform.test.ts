import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { codeOf } from '../test/codes.ts'
import {
  formatPlatform,
  isUnknownPlatform,
  matchPlatforms,
  normalisePlatform,
  parsePlatform,
  type Platform,
  platformMatches,
} from './platform.ts'

describe('parsePlatform', () => {
  it.each([
    ['linux/amd64', 'linux/amd64'],
    ['linux/x86_64', 'linux/amd64'],
    ['linux/amd64/v1', 'linux/amd64'],
    ['linux/amd64/v3', 'linux/amd64/v3'],
    ['linux/arm64', 'linux/arm64'],
    ['linux/arm64/v8', 'linux/arm64'],
    ['linux/aarch64', 'linux/arm64'],
    ['linux/arm64/v9', 'linux/arm64/v9'],
    ['linux/arm', 'linux/arm/v7'],
    ['linux/arm/6', 'linux/arm/v6'],
    ['linux/armhf', 'linux/arm/v7'],
    ['linux/armel', 'linux/arm/v6'],
    ['linux/i386', 'linux/386'],
    ['Linux/AMD64', 'linux/amd64'],
    ['arm64', 'linux/arm64'],
    ['riscv64', 'linux/riscv64'],
    ['macos/arm64', 'darwin/arm64'],
    ['windows(10.0.17763)/amd64', 'windows(10.0.17763)/amd64'],
  ])('%s is %s', (text, expected) => {
    expect(formatPlatform(parsePlatform(text), { withVersion: true })).toBe(expected)
  })

  it.each([
    '',
    '/',
    'linux/',
    '/amd64',
    'linux/amd64/v1/x',
    'foo',
    'linux',
    'linux amd64',
    'linux/a b',

    'linux/\u001b',
    'all',
    'x'.repeat(300),
  ])('refuses %j', (text) => {
    expect(codeOf(() => parsePlatform(text))).toBe('PLATFORM_INVALID')
  })

  it('throws nothing else, and means the same when written and read again', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9/().]{0,30}$/), (text) => {
        if (codeOf(() => parsePlatform(text)) !== undefined) return
        const platform = parsePlatform(text)
        expect(parsePlatform(formatPlatform(platform, { withVersion: true }))).toEqual(platform)
        expect(normalisePlatform(platform)).toEqual(platform)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('matchPlatforms', () => {
  const choose = (wanted: string, ...offered: readonly string[]): readonly string[] =>
    matchPlatforms(parsePlatform(wanted), offered, (text) => raw(text))
  /** As an index writes it: nothing normalised. */
  const raw = (text: string): Platform => {
    const [os = '', architecture = '', variant] = text.split('/')
    return { os, architecture, ...(variant === undefined ? {} : { variant }) }
  }

  it.each([
    ['linux/amd64', ['linux/arm64', 'linux/amd64'], ['linux/amd64']],
    [
      'linux/amd64/v3',
      ['linux/amd64', 'linux/amd64/v2', 'linux/amd64/v4'],
      ['linux/amd64/v2', 'linux/amd64'],
    ],
    ['linux/amd64', ['linux/amd64/v2'], []],
    [
      'linux/arm/v7',
      ['linux/arm/v5', 'linux/arm/v7', 'linux/arm/v6'],
      ['linux/arm/v7', 'linux/arm/v6', 'linux/arm/v5'],
    ],
    ['linux/arm/v6', ['linux/arm/v7', 'linux/arm/v5'], ['linux/arm/v5']],
    ['linux/arm64', ['linux/arm64/v8'], ['linux/arm64/v8']],
    ['linux/arm64/v8', ['linux/arm64'], ['linux/arm64']],
    ['linux/arm64', ['linux/arm/v7'], []],
    ['linux/amd64', ['windows/amd64', 'unknown/unknown'], []],
    ['linux/amd64', ['linux/amd64', 'linux/x86_64'], ['linux/amd64', 'linux/x86_64']],
    ['linux/386', ['linux/amd64'], []],
  ])('for %s of %j: %j', (wanted, offered, expected) => {
    expect(choose(wanted, ...offered)).toEqual(expected)
  })

  it('takes the same build of Windows, its newest revision first', () => {
    const windows = (osVersion: string): Platform => ({
      os: 'windows',
      architecture: 'amd64',
      osVersion,
    })
    const offered = ['10.0.17763.1', '10.0.17763.99', '10.0.20348.5'].map(windows)
    const found = matchPlatforms(windows('10.0.17763.50'), offered, (platform) => platform)
    expect(found.map(({ osVersion }) => osVersion)).toEqual(['10.0.17763.99', '10.0.17763.1'])
    expect(platformMatches(windows('10.0.1'), { os: 'windows', architecture: 'amd64' })).toBe(true)
  })

  it('passes entries without a platform by', () => {
    expect(matchPlatforms(parsePlatform('linux/amd64'), [undefined], (none) => none)).toEqual([])
  })
})

describe('isUnknownPlatform', () => {
  it('knows what no machine runs', () => {
    expect(isUnknownPlatform({ os: 'unknown', architecture: 'unknown' })).toBe(true)
    expect(isUnknownPlatform({ os: 'linux', architecture: 'amd64' })).toBe(false)
  })
})
