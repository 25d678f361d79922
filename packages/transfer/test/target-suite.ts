import { createHash } from 'node:crypto'
import { type Descriptor, mediaTypes, parseDigest } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import type { Opener, Source, Target } from '../src/place.ts'

/** A place under test, empty at first, closed by the suite. */
export interface TestedPlace extends AsyncDisposable {
  readonly place: Target & Source
}

/** What every target promises (`Target`), whatever it is. */
export function targetSuite(name: string, open: () => Promise<TestedPlace>): void {
  describe(`${name} as a target`, () => {
    const bytes = Buffer.from('some content, '.repeat(10_000))

    it('has what was written, and nothing before', async () => {
      await using tested = await open()
      const { place } = tested
      const blob = describeBytes(bytes)
      expect(await place.has(blob)).toBe(false)
      await place.write(blob, opener(bytes))
      expect(await place.has(blob)).toBe(true)
      expect(await read(place, blob)).toEqual(bytes)
      expect(await read(place, blob, 100_000)).toEqual(bytes.subarray(100_000))
    })

    it('takes empty content, and the same content twice', async () => {
      await using tested = await open()
      const { place } = tested
      for (const content of [Buffer.alloc(0), bytes]) {
        const blob = describeBytes(content)
        await place.write(blob, opener(content))
        await place.write(blob, opener(content))
        expect(await read(place, blob)).toEqual(content)
      }
    })

    it('takes the same content from two writers at once', async () => {
      await using tested = await open()
      const { place } = tested
      const blob = describeBytes(bytes)
      await Promise.all([place.write(blob, opener(bytes)), place.write(blob, opener(bytes))])
      expect(await read(place, blob)).toEqual(bytes)
    })

    it.each([
      ['other bytes', Buffer.from(bytes).fill('x', 7, 8), 'DIGEST_MISMATCH'],
      ['a byte too few', bytes.subarray(1), 'SIZE_MISMATCH'],
      ['a byte too many', Buffer.concat([bytes, Buffer.from('x')]), 'SIZE_MISMATCH'],
      ['nothing', Buffer.alloc(0), 'SIZE_MISMATCH'],
    ])('refuses %s, keeps nothing, and takes the right bytes then', async (_, wrong, code) => {
      await using tested = await open()
      const { place } = tested
      const blob = describeBytes(bytes)
      await expect(place.write(blob, opener(wrong))).rejects.toMatchObject({ code })
      expect(await place.has(blob)).toBe(false)
      await place.write(blob, opener(bytes))
      expect(await read(place, blob)).toEqual(bytes)
    })

    it('passes on what the source fails with, and can be written then', async () => {
      await using tested = await open()
      const { place } = tested
      const blob = describeBytes(bytes)
      const broken: Opener = async () => {
        throw new Error('the source is gone')
      }
      await expect(place.write(blob, broken)).rejects.toThrow('the source is gone')
      expect(await place.has(blob)).toBe(false)
      await place.write(blob, opener(bytes))
      expect(await place.has(blob)).toBe(true)
    })

    it('stops when it is told to, and leaves nothing to be seen', async () => {
      await using tested = await open()
      const { place } = tested
      const blob = describeBytes(bytes)
      const stop = new AbortController()
      const endless: Opener = async () =>
        (async function* () {
          yield bytes.subarray(0, 10)
          stop.abort(new Error('stopped'))
          stop.signal.throwIfAborted()
          yield bytes.subarray(10)
        })()
      await expect(place.write(blob, endless, { signal: stop.signal })).rejects.toThrow('stopped')
      expect(await place.has(blob)).toBe(false)
    })

    it('throws BLOB_UNKNOWN for what it does not have', async () => {
      await using tested = await open()
      const { place } = tested
      const blob = describeBytes(Buffer.from('never written'))
      await expect(read(place, blob)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
    })
  })
}

/** Content without a meaning of its own: a config of an artifact. */
export function describeBytes(bytes: Uint8Array): Descriptor {
  const digest = parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
  return { mediaType: mediaTypes.ociConfig, digest, size: bytes.byteLength }
}

/** Gives the bytes from where they are asked for, in two pieces. */
export function opener(bytes: Uint8Array): Opener {
  return async (start) =>
    (async function* () {
      const middle = Math.max(start, Math.floor(bytes.byteLength / 2))
      if (middle > start) yield bytes.subarray(start, middle)
      if (bytes.byteLength > middle) yield bytes.subarray(middle)
    })()
}

async function read(place: Source, blob: Descriptor, start = 0): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of await place.open(blob, { start })) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}
