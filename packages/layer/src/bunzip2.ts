import type { Bytes } from '@katman/oci'
import { bunzipBlock, maxBlockBytes } from './bunzip2-block.ts'
import { openBitReader } from './bit-reader.ts'
import { openChunkReader } from './chunk-reader.ts'
import { compressionInvalid } from './compression-error.ts'

// The marks of a block and of the end of a stream: the digits of pi and of its square root.
const bzip2BlockMark = 0x314159265359
const bzip2EndMark = 0x177245385090

/**
 * Unpacks bzip2: any number of streams, one after the other; every checksum must be right. Throws
 * `LAYER_COMPRESSION_INVALID` for damaged and cut bytes and for others behind the last stream, and
 * `COMPRESSION_UNSUPPORTED` for blocks that only bzip2 before 0.9.5 made. Holds one block: about 8 MB.
 */
export async function* bunzip2(source: Bytes): Bytes {
  const reader = openChunkReader(source)
  try {
    do {
      const head = (await reader.peek(4)).subarray(0, 4)
      const level = /^BZh([1-9])$/.exec(head.toString('latin1'))?.[1]
      if (level === undefined) throw damaged('what follows is no bzip2 stream')
      reader.skip(4)
      const unpackedBytes = Number(level) * 100_000
      // Blocks begin at any bit: `shift` bits of the next byte are used.
      let shift = 0
      let combined = 0
      for (let isOver = false; !isOver;) {
        const bits = openBitReader(await reader.peek(maxBlockBytes), shift)
        const mark = bits.read(24) * 2 ** 24 + bits.read(24)
        const sum = (bits.read(16) * 65536 + bits.read(16)) >>> 0
        if (mark === bzip2BlockMark) {
          const actual = yield* bunzipBlock(bits, unpackedBytes)
          if (actual !== sum) throw damaged('the checksum of a block is wrong')
          combined = (((combined << 1) | (combined >>> 31)) ^ actual) >>> 0
        } else if (bits.isCut()) {
          throw damaged('the data is cut')
        } else if (mark === bzip2EndMark) {
          if (sum !== combined) throw damaged('the checksum of the whole is wrong')
          bits.alignToByte()
          isOver = true
        } else {
          throw damaged('what follows is no block')
        }
        shift = bits.position() % 8
        reader.skip(Math.floor(bits.position() / 8))
      }
    } while ((await reader.peek(1)).length > 0)
  } finally {
    await reader.close()
  }
}

function damaged(reason: string): Error {
  return compressionInvalid(`bzip2: ${reason}`)
}
