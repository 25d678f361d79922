import { type Bytes, KatmanError } from '@katman/oci'
import type { CheckState, NeededContent } from './check-state.ts'
import { writeContent } from './write.ts'

/** Fetches lost content from one of the places it came from. False when none has it. */
export async function refetch(
  state: CheckState,
  { descriptor, from, diffID }: NeededContent,
): Promise<boolean> {
  const { context, options } = state
  const fetch = options.repair?.fetch
  if (fetch === undefined) return false
  for (const place of from) {
    try {
      const open = async (start: number): Promise<Bytes> =>
        skip(await fetch(descriptor, place), start)
      await writeContent(context, descriptor, open, { diffID, signal: options.signal })
      return true
    } catch (error) {
      options.signal?.throwIfAborted()
      if (!(error instanceof KatmanError)) throw error
    }
  }
  return false
}

async function* skip(bytes: Bytes, count: number): Bytes {
  let left = count
  for await (const chunk of bytes) {
    const skipped = Math.min(left, chunk.byteLength)
    left -= skipped
    if (skipped < chunk.byteLength) yield chunk.subarray(skipped)
  }
}
