import { describe, expect, it } from 'vitest'
import * as fc from 'fast-check'
import { codeOfPromise, collect, inChunks } from '../test/read-tar.ts'
import { decompressed } from './compression.ts'

// 3600 bytes of text by xz 5.4, once with each option; what its name says, or nothing unusual.
const text = Buffer.from('hello layer '.repeat(300))
const packed = {
  none: '/Td6WFoAAAD/EtlBAgAhARYAAAB0L+Wj4A4PACZdADQZSe6N6RSGbsoCEaP0ZnRjv46hpRO7q/K1nXZqyfaq6TcF1wAAAAAAAAE6kBwAAAAhP32tqAAK/AIAAAAAAFla',
  crc32:
    '/Td6WFoAAAFpIt42AgAhARYAAAB0L+Wj4A4PACZdADQZSe6N6RSGbsoCEaP0ZnRjv46hpRO7q/K1nXZqyfaq6TcF1wAAAAAAEEKWiwABPpAcAAAAN33sNj4wDYsCAAAAAAFZWg==',
  crc64:
    '/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4A4PACZdADQZSe6N6RSGbsoCEaP0ZnRjv46hpRO7q/K1nXZqyfaq6TcF1wAAAAAALJCPlUBSFc0AAUKQHAAAAI2wDEqxxGf7AgAAAAAEWVo=',
  sha256:
    '/Td6WFoAAArh+wyhAgAhARYAAAB0L+Wj4A4PACZdADQZSe6N6RSGbsoCEaP0ZnRjv46hpRO7q/K1nXZqyfaq6TcF1wAAAAAAtu8dzENF7RbgCqtdwU1Ik+heC2zagK+Kj/FL1nKdp4QAAVqQHAAAAHswiaW26d8cAgAAAAAKWVo=',
  properties:
    '/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4A4PACUSADQaFOLEJ3g4dD6M35hedUGyFqgYMTxCa74gibsPQB9tMTG+NwAAAAAALJCPlUBSFc0AAUGQHAAAACPCmMyxxGf7AgAAAAAEWVo=',
  blocks:
    '/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4APnABhdADQZSe6N6RSGbsoCEaP0ZnRjv46Kgh9MAADvhSXtRCLCuwIAIQEWAAAAdC/lo+AD5wAYXQA3iAmGVKCGNpbVR8CpIIqGzB7vzXH1JwAAnht9lca992ECACEBFgAAAHQv5aPgA+cAGF0APJlKpieJ83XbFnw+GldcpvJIiL6FIGQAAC2UbIUe8MshAgAhARYAAAB0L+Wj4AJXABZdADQZSe6N6RSGbsoCEaP0ZnRjt8ZCgAAAAACUH2NPUQ6FwwAENOgHNOgHNOgHMtgEAADjb52frCc+LQQAAAAABFla',
} as const
const unusual = {
  'the x86 filter':
    '/Td6WFoAAATm1rRGAgEEACEBFgANhjUf4A4PACZdADQZSe6N6RSGbsoCEaP0ZnRjv46hpRO7q/K1nXZqyfaq6TcF1wAAAAAALJCPlUBSFc0AAUKQHAAAAI2wDEqxxGf7AgAAAAAEWVo=',
  'the delta filter':
    '/Td6WFoAAATm1rRGAgEDAQAhARZ5IMTu4A4PACddADQ/POAAIZTxukhWsiCu5c4AaBIJB3koBgDNCkQNMcH21LZ6M9p3AAAALJCPlUBSFc0AAUOQHAAAAChjUIGxxGf7AgAAAAAEWVo=',
  'a dictionary of 192 MiB':
    '/Td6WFoAAATm1rRGAgAhAR8AAAD+YO3e4A4PACZdADQZSe6N6RSGbsoCEaP0ZnRjv46hpRO7q/K1nXZqyfaq6TcF1wAAAAAALJCPlUBSFc0AAUKQHAAAAI2wDEqxxGf7AgAAAAAEWVo=',
} as const
const empty = '/Td6WFoAAATm1rRGAAAAABzfRCEftvN9AQAAAAAEWVo='

const bytesOf = (base64: string): Buffer => Buffer.from(base64, 'base64')
const unpack = (bytes: Uint8Array, step?: number): Promise<Buffer> =>
  collect(decompressed(inChunks(bytes, step), 'detect'))
const verdict = (bytes: Uint8Array): Promise<string | undefined> =>
  codeOfPromise(collect(decompressed(inChunks(bytes), 'xz')))

describe('decompressed, xz', () => {
  it.each(Object.entries(packed))('reads %s in chunks of any size', async (_, base64) => {
    for (const step of [undefined, 1, 7, 64]) {
      expect(await unpack(bytesOf(base64), step)).toEqual(text)
    }
  })

  it('reads several streams with padding between and behind', async () => {
    const parts = [packed.crc64, 'AAAAAAAAAAA=', packed.none, empty, packed.sha256, 'AAAAAA==']
    const bytes = Buffer.concat(parts.map(bytesOf))
    for (const step of [undefined, 1, 13]) {
      expect(await unpack(bytes, step)).toEqual(Buffer.concat([text, text, text]))
    }
    expect(await unpack(bytesOf(empty))).toEqual(Buffer.alloc(0))
  })

  it.each(Object.entries(unusual))('says clearly that it does not read %s', async (_, base64) => {
    expect(await verdict(bytesOf(base64))).toBe('COMPRESSION_UNSUPPORTED')
  })

  it('refuses what is cut anywhere', async () => {
    const bytes = bytesOf(packed.blocks)
    for (let length = 0; length < bytes.length; length += 1) {
      expect(await verdict(bytes.subarray(0, length)), String(length)).toBe(
        'LAYER_COMPRESSION_INVALID',
      )
    }
  })

  it.each(['junk', '\0', '\0\0\0\0\0', '\0\0\0\0junk'])('refuses %j behind it', async (junk) => {
    const bytes = Buffer.concat([bytesOf(packed.crc64), Buffer.from(junk)])
    expect(await verdict(bytes)).toBe('LAYER_COMPRESSION_INVALID')
  })

  it('refuses every changed byte, with a coded error', async () => {
    for (const kind of ['crc32', 'crc64', 'sha256', 'blocks'] as const) {
      const bytes = bytesOf(packed[kind])
      const change = fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }))
      await fc.assert(
        fc.asyncProperty(change, async ([at, mask]) => {
          const changed = Buffer.from(bytes)
          changed[at] = (changed[at] ?? 0) ^ mask
          expect(await verdict(changed)).toMatch(/^(LAYER_COMPRESSION_INVALID|COMPRESSION_UNSUPP)/)
        }),
        { numRuns: 300 },
      )
    }
  })

  it('gives coded errors only, whatever follows the header', async () => {
    const header = bytesOf(packed.none).subarray(0, 24)
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (rest) => {
        const code = await verdict(Buffer.concat([header, rest]))
        expect(code).toBe('LAYER_COMPRESSION_INVALID')
      }),
      { numRuns: 500 },
    )
  })
})
