import { type Descriptor, parseDigest } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import { collectPassed } from './collect-passed.ts'

const blob = (letter: string): Descriptor => ({
  mediaType: 'application/x',
  digest: parseDigest(`sha256:${letter.repeat(64)}`),
  size: 100,
})

describe('collectPassed', () => {
  it('collects once for so many bytes, of all blobs together', () => {
    let collections = 0
    const note = collectPassed({ everyBytes: 10, collect: () => void collections++ })
    const receive = (descriptor: Descriptor, bytes: number): number => {
      note({ type: 'progress', descriptor, progress: { state: 'receiving', bytes } })
      return collections
    }
    expect(receive(blob('a'), 6)).toBe(0)
    expect(receive(blob('b'), 3)).toBe(0)
    expect(receive(blob('a'), 7)).toBe(1)
    // An upload that begins again counts from where it was.
    expect(receive(blob('a'), 2)).toBe(1)
    expect(receive(blob('a'), 11)).toBe(1)
    expect(receive(blob('b'), 4)).toBe(2)
    note({ type: 'copied', descriptor: blob('a') })
    expect(collections).toBe(2)
  })

  it('can collect for real', () => {
    const note = collectPassed({ everyBytes: 1 })
    note({ type: 'progress', descriptor: blob('a'), progress: { state: 'receiving', bytes: 2 } })
    expect('gc' in globalThis).toBe(false)
  })
})
