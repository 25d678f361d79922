import type { Bytes } from '@katman/oci'

/** Bytes of a stream, taken in pieces of the reader's choice. */
export interface ChunkReader {
  /** What comes next, at least `count` bytes of it; fewer only when the stream ends there. Nothing is taken. */
  peek(count: number): Promise<Buffer>
  /** Takes bytes that {@link peek} has shown. */
  skip(count: number): void
  /** Stops reading. */
  close(): Promise<void>
}

/** Reads `source` by pieces. Holds one chunk of it, or as much as is asked for at once. */
export function openChunkReader(source: Bytes): ChunkReader {
  const iterator = source[Symbol.asyncIterator]()
  let held = Buffer.alloc(0)
  let isOver = false
  return {
    async peek(count) {
      if (held.length >= count || isOver) return held
      const parts: Uint8Array[] = [held]
      let length = held.length
      while (length < count) {
        const next = await iterator.next()
        if (next.done === true) {
          isOver = true
          break
        }
        parts.push(next.value)
        length += next.value.byteLength
      }
      held = Buffer.concat(parts, length)
      return held
    },
    skip(count) {
      held = held.subarray(count)
    },
    async close() {
      isOver = true
      await iterator.return?.()
    },
  }
}
