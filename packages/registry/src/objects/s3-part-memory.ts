import { leastPartBytes } from './s3-parts.ts'

/** The memory that all uploads of a thread share for parts that are on their way. */
export interface PartMemory {
  /** Waits until so many bytes may be on their way; one part may always. */
  take(bytes: number): Promise<void>
  /** The part is there, or will never be: others may go. Its buffer, if any, is used again. */
  giveBack(bytes: number, buffer?: Buffer): void
  /** A buffer of so many bytes, with anything in it. */
  buffer(size: number): Buffer
}

/** At most `most` bytes are on their way at the same time; whoever comes first goes first. */
export function createPartMemory(most = 24 * leastPartBytes): PartMemory {
  const waiting: { readonly bytes: number; readonly go: () => void }[] = []
  const kept: Buffer[] = []
  let used = 0

  function letGo(): void {
    for (let [first] = waiting; first !== undefined; [first] = waiting) {
      if (used > 0 && used + first.bytes > most) return
      used += first.bytes
      waiting.shift()
      first.go()
    }
  }

  return {
    take(bytes) {
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting.push({ bytes, go: resolve })
      letGo()
      return promise
    },
    giveBack(bytes, buffer) {
      used -= bytes
      // A burst does not keep its memory, nor do large parts.
      if (buffer?.byteLength === leastPartBytes && kept.length < 8) kept.push(buffer)
      letGo()
    },
    // Its own memory, not a part of a larger one that it would keep alive.
    buffer: (size) =>
      (size === leastPartBytes ? kept.pop() : undefined) ?? Buffer.allocUnsafeSlow(size),
  }
}
