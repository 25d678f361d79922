import type { Bytes } from '@katman/oci'
import { compressionInvalid } from './compression-error.ts'

const frameMagic = 0xfd2fb528
const skippableMagic = 0x184d2a50

/**
 * The zstd frames (RFC 8878) of `source`, cut so that no chunk spans two of them, without skippable frames. Node's
 * decoder ignores whatever stands behind a frame in the same write, so without this a layer of several frames would
 * lose all but the first and junk would pass. Throws `LAYER_COMPRESSION_INVALID` for what is no frame and for a frame
 * that is cut.
 */
export async function* zstdFrames(source: Bytes): Bytes {
  const head = Buffer.alloc(8)
  let part: Part = 'magic'
  let filled = 0
  let wanted = 4
  let rest = 0
  let checksum = false
  let last = false
  let frames = 0

  for await (const chunk of source) {
    let at = 0
    // Where the bytes that were not handed on start; the small heads of a frame are handed on by themselves.
    let from = 0
    while (at < chunk.length) {
      if (part === 'body' || part === 'skipped') {
        const count = Math.min(rest, chunk.length - at)
        at += count
        rest -= count
        if (part === 'skipped') from = at
        if (rest > 0) continue
        if (part === 'body' && !last) next('block', 3)
        else {
          if (at > from) yield chunk.subarray(from, at)
          from = at
          next('magic', 4)
        }
        continue
      }
      const count = Math.min(wanted - filled, chunk.length - at)
      head.set(chunk.subarray(at, at + count), filled)
      filled += count
      at += count
      if (part === 'magic' || part === 'skip') from = at
      if (filled < wanted) continue
      if (part === 'magic') {
        const magic = head.readUInt32LE(0)
        if (magic === frameMagic) {
          yield Buffer.from(head.subarray(0, 4))
          frames += 1
          next('descriptor', 1)
        } else if (magic - (magic % 16) === skippableMagic) {
          frames += 1
          next('skip', 4)
        } else throw compressionInvalid('what follows is no zstd frame')
      } else if (part === 'skip') {
        rest = head.readUInt32LE(0)
        part = 'skipped'
        if (rest === 0) next('magic', 4)
      } else if (part === 'descriptor') {
        const descriptor = head[0] ?? 0
        checksum = (descriptor & 0x04) !== 0
        last = false
        rest = fieldsLength(descriptor)
        part = 'body'
        if (rest === 0) next('block', 3)
      } else {
        const block = head.readUIntLE(0, 3)
        last = (block & 1) === 1
        // A run-length block stores one byte whatever its size.
        rest = ((block >> 1) & 3) === 1 ? 1 : block >> 3
        if (last && checksum) rest += 4
        part = 'body'
        if (rest > 0) continue
        if (!last) next('block', 3)
        else {
          yield chunk.subarray(from, at)
          from = at
          next('magic', 4)
        }
      }
    }
    if (at > from) yield chunk.subarray(from, at)
  }
  if (part !== 'magic' || filled > 0 || frames === 0)
    throw compressionInvalid('the zstd data is cut')

  function next(following: Part, bytes: number): void {
    part = following
    filled = 0
    wanted = bytes
  }
}

type Part = 'magic' | 'descriptor' | 'block' | 'body' | 'skip' | 'skipped'

/** The bytes of window, dictionary and content size behind a frame's descriptor. */
function fieldsLength(descriptor: number): number {
  const single = (descriptor & 0x20) !== 0
  const dictionary = [0, 1, 2, 4][descriptor & 3] ?? 0
  const content = [single ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0
  return (single ? 0 : 1) + dictionary + content
}
