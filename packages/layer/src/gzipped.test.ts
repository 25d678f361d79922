import { createHash } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { collect, inChunks } from '../test/read-tar.ts'
import { decompressed } from './compression.ts'
import { gzipped } from './gzipped.ts'

const megabyte = 1024 * 1024
/** Words that come again beyond the borders of blocks, and noise. */
const words = Buffer.from(Array.from({ length: 400_000 }, (_, at) => `${at % 5000} `).join(''))
/** The same in every run: noise by chance has what begins a gzip member. */
const noise = Buffer.concat(
  Array.from({ length: megabyte / 32 }, (_, at) => createHash('sha256').update(`${at}`).digest()),
)
const bytes = Buffer.concat([words, noise, words])

describe('gzipped', () => {
  it('gives the same bytes for any number of workers and any chunks', async () => {
    const once = await collect(gzipped(inChunks(bytes), { workers: 1 }))
    expect(gunzipSync(once).equals(bytes)).toBe(true)
    for (const workers of [2, 3, 8]) {
      const again = await collect(gzipped(inChunks(bytes, 70_001), { workers }))
      expect(again.equals(once)).toBe(true)
    }
  })

  it.each([0, 1, 32 * 1024, megabyte - 1, megabyte, megabyte + 1, 3 * megabyte])(
    'packs %i bytes as one member that all read',
    async (size) => {
      const part = bytes.subarray(0, size)
      const packed = await collect(gzipped(inChunks(part, 100_000)))
      expect(gunzipSync(packed).equals(part)).toBe(true)
      expect((await collect(decompressed(inChunks(packed), 'gzip'))).equals(part)).toBe(true)
      expect(packed.indexOf(Buffer.from([0x1f, 0x8b, 8]), 1)).toBe(-1)
      expect(packed.readUInt32LE(4)).toBe(0)
    },
  )

  it('packs about as small as one stream does', async () => {
    const { gzipSync } = await import('node:zlib')
    const packed = await collect(gzipped(inChunks(words)))
    expect(packed.length).toBeLessThan(gzipSync(words).length * 1.02)
  })

  it('packs whatever there is', async () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 2000 }), { maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(pieces, fc.integer({ min: 1, max: 9 }), async (chunks, level) => {
        const source = (async function* () {
          yield* chunks
        })()
        const packed = await collect(gzipped(source, { level }))
        expect(gunzipSync(packed).equals(Buffer.concat(chunks))).toBe(true)
      }),
      { numRuns: 50 },
    )
  })

  it('reads no faster than it is read', async () => {
    let read = 0
    const endless = (async function* () {
      for (;;) {
        read += megabyte
        yield Buffer.alloc(megabyte)
      }
    })()
    const packed = gzipped(endless, { workers: 2 })[Symbol.asyncIterator]()
    for (let turn = 0; turn < 3; turn += 1) await packed.next()
    expect(read).toBeLessThanOrEqual(6 * megabyte)
    await packed.return?.()
  })

  it('stops with the reason of its signal and closes its source', async () => {
    const stop = new AbortController()
    let isClosed = false
    const endless = (async function* () {
      try {
        for (;;) yield Buffer.alloc(megabyte)
      } finally {
        isClosed = true
      }
    })()
    const drain = async (): Promise<void> => {
      for await (const _ of gzipped(endless, { signal: stop.signal }))
        stop.abort(new Error('enough'))
    }
    await expect(drain()).rejects.toThrow('enough')
    expect(isClosed).toBe(true)
  })

  it('passes the error of its source on', async () => {
    const broken = (async function* () {
      yield bytes.subarray(0, 3 * megabyte)
      throw new Error('connection lost')
    })()
    await expect(collect(gzipped(broken))).rejects.toThrow('connection lost')
  })
})
