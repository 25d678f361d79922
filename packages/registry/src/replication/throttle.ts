import { setTimeout } from 'node:timers/promises'
import type { Bytes } from '@katman/oci'

/** Lets bytes of any number of streams through, together no faster than so many a second. */
export type Throttle = (bytes: Bytes, signal?: AbortSignal) => Bytes

export function createThrottle(
  bytesPerSecond: number,
  time: {
    readonly now: () => number
    readonly sleep: (ms: number, signal?: AbortSignal) => Promise<unknown>
  } = { now: Date.now, sleep: (ms, signal) => setTimeout(ms, undefined, { signal }) },
): Throttle {
  /** When the last byte that was let through is paid for. */
  let paidAt = 0
  return async function* throttled(bytes, signal) {
    for await (const chunk of bytes) {
      const now = time.now()
      paidAt = Math.max(paidAt, now) + (chunk.byteLength / bytesPerSecond) * 1000
      yield chunk
      if (paidAt > now) await time.sleep(paidAt - now, signal)
    }
  }
}
