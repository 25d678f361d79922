import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { CopyEvent } from '@katman/transfer'

interface CollectOptions {
  /** Default 8 MiB. */
  readonly everyBytes?: number
  /** Default: a collection of young objects. */
  readonly collect?: () => void
}

/**
 * Listens to a copy and collects the buffers of the bytes that have passed. V8 counts the few small objects that hold
 * them, not the bytes, and would let some 50 MB pile up; a collection of young objects takes less than a millisecond.
 */
export function collectPassed({ everyBytes = 8 * 1024 * 1024, collect }: CollectOptions = {}): (
  event: CopyEvent,
) => void {
  const passed = new Map<string, number>()
  let waiting = 0
  let run = collect
  return (event) => {
    if (event.type !== 'progress' || event.progress.state !== 'receiving') return
    const { digest } = event.descriptor
    const { bytes } = event.progress
    waiting += Math.max(0, bytes - (passed.get(digest) ?? 0))
    passed.set(digest, bytes)
    if (waiting < everyBytes) return
    waiting = 0
    run ??= youngCollection()
    run()
  }
}

/** Node has no other way to the collector at run time; nothing else of the program sees the function. */
function youngCollection(): () => void {
  setFlagsFromString('--expose-gc')
  const collector: unknown = runInNewContext('gc')
  setFlagsFromString('--no-expose-gc')
  return () => {
    if (typeof collector === 'function') collector({ type: 'minor' })
  }
}
