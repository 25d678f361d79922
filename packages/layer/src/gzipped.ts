import { availableParallelism } from 'node:os'
import { promisify } from 'node:util'
import type { ZlibOptions } from 'node:zlib'
import type { Bytes } from '@katman/oci'

export interface GzipOptions {
  /** 1 to 9. Default 6. */
  readonly level?: number
  /** Blocks that are packed at the same time. Default: as many as there are processors. */
  readonly workers?: number
  readonly signal?: AbortSignal | undefined
}

/** What is packed at once. Larger ones gain nothing, smaller ones cost more starts. */
const blockBytes = 1024 * 1024
/** How far back a match may reach: the end of one block is the dictionary of the next. */
const windowBytes = 32 * 1024

/**
 * gzip (RFC 1952) in blocks that are packed side by side and joined by empty blocks, one member in all. No name and no
 * time in it: equal bytes in give equal bytes out, whatever the number of workers and the chunks of `source`. Holds at most
 * two blocks for each worker and reads no faster than it is read. A chunk of `source` is used up before the next is asked for.
 */
export async function* gzipped(source: Bytes, options: GzipOptions = {}): Bytes {
  const { level = 6, workers = availableParallelism(), signal } = options
  const { constants, crc32, deflateRaw } = await import('node:zlib')
  const pack: (block: Uint8Array, how: ZlibOptions) => Promise<Buffer> = promisify(deflateRaw)
  let sum = 0
  let size = 0
  let dictionary: Buffer = Buffer.alloc(0)
  const underWay: PackedBlock[] = []
  /** Blocks that are packed and may be filled again. */
  const free: Buffer[] = []
  yield Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, level === 9 ? 2 : level === 1 ? 4 : 0, 255])
  try {
    for await (const { block, isLast } of blocksOf(source, free)) {
      signal?.throwIfAborted()
      sum = crc32(block, sum)
      size += block.length
      const packed = pack(block, {
        level,
        chunkSize: blockBytes / 4,
        finishFlush: isLast ? constants.Z_FINISH : constants.Z_SYNC_FLUSH,
        ...(dictionary.length > 0 && { dictionary }),
      })
      // It is awaited below; until then a failure must not count as nobody's.
      packed.catch(() => {})
      underWay.push({ block, packed })
      dictionary = Buffer.from(block.subarray(-windowBytes))
      if (underWay.length >= Math.max(workers, 1)) yield* first(underWay, free)
    }
    while (underWay.length > 0) yield* first(underWay, free)
  } finally {
    await Promise.allSettled(underWay.map(({ packed }) => packed))
  }
  const trailer = Buffer.alloc(8)
  trailer.writeUInt32LE(sum, 0)
  trailer.writeUInt32LE(size % 2 ** 32, 4)
  yield trailer
}

interface PackedBlock {
  readonly block: Buffer
  readonly packed: Promise<Buffer>
}

async function* first(underWay: PackedBlock[], free: Buffer[]): Bytes {
  const [next] = underWay
  if (next === undefined) return
  const packed = await next.packed
  underWay.shift()
  free.push(next.block)
  yield packed
}

/** The bytes cut into blocks of one size; at least one, and the last is known. */
async function* blocksOf(
  source: Bytes,
  free: Buffer[],
): AsyncIterable<{ readonly block: Buffer; readonly isLast: boolean }> {
  const take = (): Buffer => free.pop() ?? Buffer.allocUnsafeSlow(blockBytes)
  let block = take()
  let filled = 0
  for await (const chunk of source) {
    for (let at = 0; at < chunk.byteLength;) {
      if (filled === blockBytes) {
        yield { block, isLast: false }
        block = take()
        filled = 0
      }
      const count = Math.min(blockBytes - filled, chunk.byteLength - at)
      block.set(chunk.subarray(at, at + count), filled)
      filled += count
      at += count
    }
  }
  yield { block: block.subarray(0, filled), isLast: true }
}
