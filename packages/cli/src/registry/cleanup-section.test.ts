import { KatmanError } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import { readYaml } from '../sync/yaml-reader.ts'
import { readCleanup } from './cleanup-section.ts'

const read = (text: string) =>
  readCleanup(readYaml(text, 'registry.yaml', (message) => new KatmanError('TEST', message)))

describe('readCleanup', () => {
  it('reads times with days, and what becomes of signatures', () => {
    const text =
      'every: 1s\nreview-after: 0s\nuntagged: 30d\nundelete: 168h\nreferrers: keep\nscrub-rate: 1000\n'
    expect(read(text)).toEqual({
      cleanup: {
        everyMs: 1000,
        reviewAfterMs: 0,
        untaggedMs: 2_592_000_000,
        undeleteMs: 604_800_000,
        areReferrersRemoved: false,
        scrubBytesPerSecond: 1000,
      },
    })
  })

  it.each([
    ['untaged: 1d', "registry.yaml:1: unknown key 'untaged': did you mean 'untagged'?"],
    ['every: 5', "registry.yaml:1: '5' is no duration: write 30d, 24h, 15m or 1s"],
    ['referrers: maybe', "registry.yaml:1: 'maybe' is neither remove nor keep"],
  ])('refuses %s', (text, message) => {
    expect(() => read(text)).toThrow(message)
  })
})
