import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { matchExactPlatforms, matchPlatforms, platformMatches } from './platform-match.ts'
import { parsePlatform, type Platform } from './platform.ts'

interface Recorded {
  readonly candidates: readonly string[]
  readonly rows: readonly {
    readonly wanted: string
    readonly only: readonly string[]
    readonly strict: readonly string[]
  }[]
}

/** Written by `test/containerd-platforms/main.go` with containerd/platforms v1.0.0-rc.5. */
const recorded = JSON.parse(
  readFileSync(new URL('../test/containerd-platforms/chosen.json', import.meta.url), 'utf8'),
) as Recorded

/** `os[(version)][+feature,…]/arch[/variant]` as an index writes it: nothing normalised. */
function raw(text: string): Platform {
  const [head = '', architecture = '', variant] = text.split('/')
  const [system = '', features] = head.split('+')
  const [os = '', version] = system.replace(')', '').split('(')
  return {
    os,
    architecture,
    ...(variant === undefined ? {} : { variant }),
    ...(version === undefined ? {} : { osVersion: version }),
    ...(features === undefined ? {} : { osFeatures: features.split(',') }),
  }
}

describe('the choice of a platform', () => {
  it.each(recorded.rows)("for $wanted is containerd's", ({ wanted, only, strict }) => {
    const found = matchPlatforms(raw(wanted), recorded.candidates, raw)
    const exact = matchExactPlatforms(raw(wanted), recorded.candidates, raw)
    // With a version of Windows the newest comes first, which containerd does on a Windows host only.
    if (wanted.startsWith('windows(')) {
      expect(found.toSorted()).toEqual(only.toSorted())
      expect(exact.toSorted()).toEqual(strict.toSorted())
    } else {
      expect(found).toEqual(only)
      expect(exact).toEqual(strict)
    }
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
    ['linux/amd64', ['linux/arm64', 'linux/386', 'linux/amd64'], ['linux/amd64', 'linux/386']],
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
    ['linux/arm64', ['linux/arm/v7', 'linux/arm64'], ['linux/arm64', 'linux/arm/v7']],
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
