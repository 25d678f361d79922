import { beforeAll, describe, expect, it, vi } from 'vitest'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import * as fc from 'fast-check'
import { codeOfPromise, collect, inChunks } from '../test/read-tar.ts'
import { decompressed, detectCompression } from './compression.ts'
import { openGunzip } from './gunzip.ts'

const text = Buffer.from('hello layer '.repeat(5000))
const packs = { gzip: gzipSync, zstd: zstdCompressSync } as const
const kinds = ['gzip', 'zstd'] as const
const skippable = Buffer.from('502a4d180300000061626350', 'hex').subarray(0, 11)

const engine = vi.hoisted(() => ({ isKnown: true }))
vi.mock('./gunzip.ts', async (load) => {
  const real = await load<typeof import('./gunzip.ts')>()
  return { openGunzip: () => (engine.isKnown ? real.openGunzip() : undefined) }
})

describe.each([
  ['in the calling thread', true],
  ['by a stream, where the engine of Node is not as known', false],
])('decompressed, %s', (_, isKnown) => {
  beforeAll(() => {
    engine.isKnown = isKnown
  })

  const unpack = (bytes: Uint8Array, kind: 'gzip' | 'zstd' | 'detect', step?: number) =>
    collect(decompressed(inChunks(bytes, step), kind))
  const verdict = (bytes: Uint8Array, kind: 'gzip' | 'zstd', step?: number) =>
    codeOfPromise(unpack(bytes, kind, step))

  it.each(kinds)('reads %s of several members in chunks of any size', async (kind) => {
    const members = Buffer.concat([packs[kind](text), packs[kind](''), packs[kind]('end')])
    const expected = Buffer.concat([text, Buffer.from('end')])
    for (const step of [undefined, 1, 3, 17, 1000]) {
      expect(await unpack(members, kind, step)).toEqual(expected)
      expect(await unpack(members, 'detect', step)).toEqual(expected)
    }
  })

  it('drops zstd skippable frames wherever they stand', async () => {
    const frame = zstdCompressSync(text)
    const bytes = Buffer.concat([skippable, frame, skippable, skippable, frame, skippable])
    for (const step of [undefined, 1, 5]) {
      expect(await unpack(bytes, 'zstd', step)).toEqual(Buffer.concat([text, text]))
    }
    expect(await verdict(bytes.subarray(0, -1), 'zstd')).toBe('LAYER_COMPRESSION_INVALID')
  })

  it('accepts NULs behind gzip only', async () => {
    const padding = Buffer.alloc(600)
    for (const step of [undefined, 1, 100]) {
      expect(await unpack(Buffer.concat([gzipSync(text), padding]), 'gzip', step)).toEqual(text)
      expect(await verdict(Buffer.concat([zstdCompressSync(text), padding]), 'zstd', step)).toBe(
        'LAYER_COMPRESSION_INVALID',
      )
    }
  })

  it.each(kinds)('refuses junk behind %s', async (kind) => {
    for (const junk of ['junk', '\0\0junk', '\u001f', '\0']) {
      for (const step of [undefined, 1, 64]) {
        const bytes = Buffer.concat([packs[kind](text), Buffer.from(junk)])
        const expected = junk === '\0' && kind === 'gzip' ? undefined : 'LAYER_COMPRESSION_INVALID'
        expect(await verdict(bytes, kind, step), JSON.stringify([junk, step])).toBe(expected)
      }
    }
  })

  it.each(kinds)('refuses %s that is cut anywhere', async (kind) => {
    const bytes = packs[kind](text)
    for (let length = 0; length < bytes.length; length += 1) {
      expect(await verdict(bytes.subarray(0, length), kind)).toBe('LAYER_COMPRESSION_INVALID')
    }
    const two = Buffer.concat([bytes, bytes.subarray(0, -2)])
    expect(await verdict(two, kind)).toBe('LAYER_COMPRESSION_INVALID')
  })

  it.each(kinds)('refuses bytes that are no %s', async (kind) => {
    expect(await verdict(text, kind)).toBe('LAYER_COMPRESSION_INVALID')
    expect(await verdict(packs[kind === 'gzip' ? 'zstd' : 'gzip'](text), kind)).toBe(
      'LAYER_COMPRESSION_INVALID',
    )
  })

  it('refuses a zstd window beyond 128 MiB', async () => {
    // Magic, a descriptor without sizes, the window descriptor of 2^31, an empty last block.
    const bytes = Buffer.from('28b52ffd00a8010000', 'hex')
    expect(await verdict(bytes, 'zstd')).toBe('LAYER_COMPRESSION_INVALID')
    expect(await unpack(Buffer.from('28b52ffd0058010000', 'hex'), 'zstd')).toEqual(Buffer.alloc(0))
  })

  it.each(kinds)('gives coded errors only, whatever bytes of %s change', async (kind) => {
    const bytes = packs[kind](text)
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(255), async (at, value) => {
        const changed = Buffer.from(bytes)
        changed[at] = value
        await verdict(changed, kind, 50)
      }),
      { numRuns: 300 },
    )
  })

  it('stops a bomb at maxBytes without unpacking it', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024))
    let size = 0
    const drain = async () => {
      for await (const chunk of decompressed(inChunks(bomb), 'gzip', { maxBytes: 3_000_000 })) {
        size += chunk.length
      }
    }
    expect(await codeOfPromise(drain())).toBe('LAYER_TOO_LARGE')
    expect(size).toBeLessThanOrEqual(3_000_000)
  })

  it('passes the errors of its source on, and the reason of its signal', async () => {
    const broken = async function* () {
      yield gzipSync(text).subarray(0, 40)
      throw new Error('connection lost')
    }
    await expect(collect(decompressed(broken(), 'gzip'))).rejects.toThrow('connection lost')
    const signal = AbortSignal.abort(new Error('stop'))
    const stopped = decompressed(inChunks(gzipSync(text)), 'gzip', { signal })
    await expect(collect(stopped)).rejects.toThrow('stop')
  })

  it('closes its source when its reader leaves early', async () => {
    const closed = Promise.withResolvers<string>()
    const source = async function* () {
      try {
        const bytes = gzipSync(Buffer.alloc(64 * 1024 * 1024))
        yield* inChunks(bytes, 1000)
      } finally {
        closed.resolve('closed')
      }
    }
    for await (const _ of decompressed(source(), 'gzip')) break
    expect(await closed.promise).toBe('closed')
  })
})

describe('openGunzip', () => {
  it('knows the engine of this Node', () => {
    engine.isKnown = true
    expect(openGunzip()).toBeDefined()
  })
})

describe('detectCompression', () => {
  it('knows the first bytes', () => {
    expect(detectCompression(gzipSync('x'))).toBe('gzip')
    expect(detectCompression(zstdCompressSync('x'))).toBe('zstd')
    expect(detectCompression(skippable)).toBe('zstd')
    expect(detectCompression(Buffer.from('etc/\0'))).toBe('none')
    expect(detectCompression(Buffer.alloc(0))).toBe('none')
  })
})
