import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { codeOf } from '../test/codes.ts'
import { formatPlatform, isUnknownPlatform, parsePlatform } from './platform.ts'

describe('parsePlatform', () => {
  it.each([
    ['linux/amd64', 'linux/amd64'],
    ['linux/x86_64', 'linux/amd64'],
    ['linux/amd64/v1', 'linux/amd64'],
    ['linux/amd64/v3', 'linux/amd64/v3'],
    ['linux/arm64', 'linux/arm64'],
    ['linux/arm64/v8', 'linux/arm64/v8'],
    ['linux/arm64/8', 'linux/arm64/v8'],
    ['linux/arm64/v9.0', 'linux/arm64/v9'],
    ['linux/aarch64', 'linux/arm64'],
    ['linux/arm64/v9', 'linux/arm64/v9'],
    ['linux/arm', 'linux/arm'],
    ['linux/arm/6', 'linux/arm/v6'],
    ['linux/armhf', 'linux/arm'],
    ['linux/armel', 'linux/arm/v6'],
    ['linux/i386', 'linux/386'],
    ['Linux/AMD64', 'linux/amd64'],
    ['arm64', 'linux/arm64'],
    ['armhf', 'linux/arm'],
    ['linux', 'linux/amd64'],
    ['macos', 'darwin/amd64'],
    ['windows(10.0.17763)', 'windows(10.0.17763)/amd64'],
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
    'linux amd64',
    'linux/a b',

    'linux/\u001b',
    'all',
    'x'.repeat(300),
  ])('refuses %j', (text) => {
    expect(codeOf(() => parsePlatform(text))).toBe('PLATFORM_INVALID')
  })

  it('gives a lone operating system the architecture it is told', () => {
    expect(parsePlatform('linux', { defaultArchitecture: 'arm64' })).toEqual({
      os: 'linux',
      architecture: 'arm64',
    })
  })

  const osPattern = '"^([A-Za-z0-9_-]+)(?:\\\\(([A-Za-z0-9_.-]*)\\\\))?$"'
  const partPattern = '"^[A-Za-z0-9_.-]+$"'
  it.each([
    ['foo', '"foo": unknown operating system or architecture: invalid argument'],
    [
      'linux/',
      `"" is an invalid component of "linux/": platform specifier component must match ${partPattern}: invalid argument`,
    ],
    [
      '/amd64',
      `"" is an invalid OS component of "/amd64": OSAndVersion specifier component must match ${osPattern}: invalid argument`,
    ],
    [
      'a/b/c/d/e',
      `"d/e" is an invalid component of "a/b/c/d/e": platform specifier component must match ${partPattern}: invalid argument`,
    ],
    ['linux/ar*', '"linux/ar*": wildcards not yet supported: invalid argument'],
    ['a/b/c/d', '"a/b/c/d": cannot parse platform specifier: invalid argument'],
  ])("says of %s what docker's client says", (text, message) => {
    expect(() => parsePlatform(text)).toThrow(message)
  })

  it('throws nothing else, and means the same when written and read again', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9/().]{0,30}$/), (text) => {
        if (codeOf(() => parsePlatform(text)) !== undefined) return
        const platform = parsePlatform(text)
        expect(parsePlatform(formatPlatform(platform, { withVersion: true }))).toEqual(platform)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('isUnknownPlatform', () => {
  it('knows what no machine runs', () => {
    expect(isUnknownPlatform({ os: 'unknown', architecture: 'unknown' })).toBe(true)
    expect(isUnknownPlatform({ os: 'linux', architecture: 'amd64' })).toBe(false)
  })
})
