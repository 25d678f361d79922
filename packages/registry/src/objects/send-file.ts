import { open } from 'node:fs/promises'
import type { SendableBytes } from '../http.ts'
import type { ByteRange } from '../object-store.ts'
import { type ChunkPool, largeChunk, smallChunk } from './chunk-pool.ts'
import { readFile } from './read-file.ts'

/** The bytes of a file from `start` up to and without `end`, to be read one way or the other, once. */
export function sendableFile(file: string, range: ByteRange, pool: ChunkPool): SendableBytes {
  return {
    [Symbol.asyncIterator]: () => readFile(file, range)[Symbol.asyncIterator](),
    sendTo: (take) => sendFile(file, range, pool, take),
  }
}

/** The next chunk is read while the last one leaves, in two buffers that go round. */
async function sendFile(
  file: string,
  { start, end }: ByteRange,
  pool: ChunkPool,
  take: (chunk: Uint8Array) => Promise<void>,
): Promise<void> {
  if (start >= end) return
  const isSmall = end - start <= smallChunk
  const pooled = [
    isSmall ? undefined : pool.take(),
    end - start > largeChunk ? pool.take() : undefined,
  ]
  const [front = Buffer.allocUnsafeSlow(Math.min(smallChunk, end - start)), back] = pooled
  const handle = await open(file, 'r').catch((error: unknown) => {
    giveBack(pool, pooled)
    throw error
  })
  let [free, spare] = [front, back]
  let reading: Promise<Uint8Array> | undefined
  let position = start
  const readInto = async (buffer: Buffer, at: number): Promise<Uint8Array> => {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.byteLength, end - at), at)
    if (bytesRead === 0) throw new Error(`the file ends at ${at}, before ${end}`)
    return buffer.subarray(0, bytesRead)
  }
  try {
    reading = readInto(free, position)
    while (position < end) {
      const chunk: Uint8Array = await reading
      position += chunk.byteLength
      if (spare === undefined) {
        await take(chunk)
        if (position < end) reading = readInto(free, position)
        continue
      }
      ;[free, spare] = [spare, free]
      if (position < end) {
        reading = readInto(free, position)
        reading.catch(() => undefined)
      }
      await take(chunk)
    }
  } finally {
    // A read under way uses file and buffer.
    await reading?.catch(() => undefined)
    giveBack(pool, pooled)
    await handle.close()
  }
}

function giveBack(pool: ChunkPool, buffers: readonly (Buffer | undefined)[]): void {
  for (const buffer of buffers) if (buffer !== undefined) pool.giveBack(buffer)
}
