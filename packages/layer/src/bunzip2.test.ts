import { describe, expect, it } from 'vitest'
import * as fc from 'fast-check'
import { codeOfPromise, collect, inChunks } from '../test/read-tar.ts'
import { decompressed } from './compression.ts'

// By bzip2 1.0.8.
const text = Buffer.from('hello layer '.repeat(300))
const packed = Buffer.from(
  'QlpoOTFBWSZTWbMePfkAA4ORgEAAIkSQICAAUIYEBSqGZTCkYUjCkYUjSkdFI0pHBSPCkaUj8XckU4UJCzHj35A=',
  'base64',
)
const runs = Buffer.from(
  'QlpoOTFBWSZTWfTHHQUAAANRAMAABAA4AAAIIAAwwAKVTyamb7L23dl1ohbgojfhC/F3JFOFCQ9McdBQ',
  'base64',
)
const empty = Buffer.from('QlpoORdyRThQkAAAAAA=', 'base64')

const unpack = (bytes: Uint8Array, step?: number): Promise<Buffer> =>
  collect(decompressed(inChunks(bytes, step), 'detect'))
const verdict = (bytes: Uint8Array): Promise<string | undefined> =>
  codeOfPromise(collect(decompressed(inChunks(bytes), 'bzip2')))

describe('decompressed, bzip2', () => {
  it('reads several streams in chunks of any size', async () => {
    const bytes = Buffer.concat([packed, empty, runs, packed])
    const unpacked = `${'a'.repeat(4)}${'b'.repeat(259)}${'c'.repeat(100_000)}`
    const expected = Buffer.concat([text, Buffer.from(unpacked), text])
    for (const step of [undefined, 1, 7, 64]) expect(await unpack(bytes, step)).toEqual(expected)
    expect(await unpack(empty)).toEqual(Buffer.alloc(0))
  })

  it('says clearly that it does not read randomised blocks', async () => {
    const randomised = Buffer.from(packed)
    randomised[14] = (randomised[14] ?? 0) | 0x80
    expect(await verdict(randomised)).toBe('COMPRESSION_UNSUPPORTED')
  })

  it('refuses what is cut anywhere', async () => {
    for (const bytes of [packed, runs]) {
      for (let length = 0; length < bytes.length; length += 1) {
        expect(await verdict(bytes.subarray(0, length)), String(length)).toBe(
          'LAYER_COMPRESSION_INVALID',
        )
      }
    }
  })

  it.each(['junk', '\0', 'BZh9'])('refuses %j behind it', async (junk) => {
    const bytes = Buffer.concat([packed, Buffer.from(junk)])
    expect(await verdict(bytes)).toBe('LAYER_COMPRESSION_INVALID')
  })

  it('never gives other bytes for changed ones, nor errors without a code', async () => {
    const change = fc.tuple(fc.nat(packed.length - 1), fc.integer({ min: 1, max: 255 }))
    await fc.assert(
      fc.asyncProperty(change, async ([at, mask]) => {
        const changed = Buffer.from(packed)
        changed[at] = (changed[at] ?? 0) ^ mask
        // The level may be raised and the last bits are padding: then the bytes are as before.
        if ((await verdict(changed)) === undefined) {
          expect(await collect(decompressed(inChunks(changed), 'bzip2'))).toEqual(text)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('gives coded errors only, whatever follows the mark of a block', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (rest) => {
        const code = await verdict(Buffer.concat([packed.subarray(0, 10), rest]))
        expect(code).toMatch(/^(LAYER_COMPRESSION_INVALID|COMPRESSION_UNSUPPORTED)$/)
      }),
      { numRuns: 300 },
    )
  })
})
