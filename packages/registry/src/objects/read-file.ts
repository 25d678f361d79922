import { open } from 'node:fs/promises'
import { type Bytes, KatmanError } from '@katman/oci'
import { ifThere } from '../durable-file.ts'
import type { ByteRange } from '../object-store.ts'

/** So much is read at once: Node's own 64 KiB cost half of the speed. */
const readBytes = 1024 * 1024

/**
 * The bytes of a file from `start` up to and without `end`. The next ones are read while the last are used.
 *
 * @throws KatmanError `OBJECT_LOST`.
 */
export async function* readFile(file: string, { start, end }: ByteRange): Bytes {
  if (start >= end) return
  const handle = await ifThere(open(file, 'r'))
  if (handle === undefined) throw lost('is gone')
  let reading: Promise<Uint8Array> | undefined
  try {
    let position = start
    const readNext = (): Promise<Uint8Array> => {
      const next = readAt(position, Math.min(readBytes, end - position))
      next.catch(() => undefined)
      return next
    }
    const readAt = async (at: number, size: number): Promise<Uint8Array> => {
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(size), 0, size, at)
      if (bytesRead === 0) throw lost(`ends at ${at}, before ${end}`)
      return buffer.subarray(0, bytesRead)
    }
    reading = readNext()
    while (reading !== undefined) {
      const chunk: Uint8Array = await reading
      position += chunk.byteLength
      reading = position < end ? readNext() : undefined
      yield chunk
    }
  } finally {
    // A read under way uses the file.
    await reading?.catch(() => undefined)
    await handle.close()
  }
}

function lost(what: string): KatmanError {
  return new KatmanError('OBJECT_LOST', `a file of stored content ${what}`, {
    hint: 'check the disk, then look for more with: katman registry scrub',
  })
}
