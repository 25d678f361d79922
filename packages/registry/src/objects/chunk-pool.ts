/** Buffers that are used again and again. */
export interface ChunkPool {
  /** A large buffer; undefined while too many are in use: then read in small ones. */
  take(): Buffer | undefined
  giveBack(buffer: Buffer): void
}

/** So much is read at once: Node's own 64 KiB cost half of the speed. */
export const largeChunk = 1024 * 1024
/** What a client gets that comes when everybody else holds the large ones: a thousand slow clients are 64 MB. */
export const smallChunk = 64 * 1024

/** At most `most` large buffers are in use at the same time, and some of them are kept. */
export function createChunkPool(most = 48): ChunkPool {
  const kept: Buffer[] = []
  let used = 0
  return {
    take() {
      if (used >= most) return undefined
      used++
      // Its own memory, not a part of a larger one that it would keep alive.
      return kept.pop() ?? Buffer.allocUnsafeSlow(largeChunk)
    },
    giveBack(buffer) {
      used--
      // A burst does not keep its memory.
      if (kept.length < 8) kept.push(buffer)
    },
  }
}
