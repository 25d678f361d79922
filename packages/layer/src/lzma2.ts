import type { Bytes } from '@katman/oci'
import type { ChunkReader } from './chunk-reader.ts'
import { compressionInvalid } from './compression-error.ts'
import { createLzmaDecoder } from './lzma.ts'

/**
 * The bytes of an LZMA2 stream (xz-file-format.txt 5.3.1): chunks of at most 64 KiB that unpack to at most 2 MiB each.
 * `dictionaryBytes` is how far back a match may reach. Stops behind the end mark.
 */
export async function* lzma2(reader: ChunkReader, dictionaryBytes: number): Bytes {
  const decoder = createLzmaDecoder(dictionaryBytes)
  let needsDictionaryReset = true
  let needsProperties = true
  for (;;) {
    const [control] = await take(reader, 1)
    if (control === undefined || control === 0) return
    if (control === 1 || control >= 0xe0) {
      decoder.resetDictionary()
      needsDictionaryReset = false
      needsProperties = true
    } else if (needsDictionaryReset) {
      throw compressionInvalid('xz: the first chunk does not start a dictionary')
    }
    if (control < 0x80) {
      if (control > 2) throw compressionInvalid('xz: a chunk of an unknown kind')
      const size = (await take(reader, 2)).readUInt16BE() + 1
      yield* decoder.copy(await take(reader, size))
      continue
    }
    const head = await take(reader, 4)
    const size = ((control & 0x1f) << 16) + head.readUInt16BE(0) + 1
    const packedSize = head.readUInt16BE(2) + 1
    if (control >= 0xc0) {
      const [properties = 0] = await take(reader, 1)
      decoder.setProperties(properties)
      needsProperties = false
    } else if (needsProperties) {
      throw compressionInvalid('xz: a chunk without its properties')
    }
    if (control >= 0xa0) decoder.resetState()
    yield* decoder.decode(await take(reader, packedSize), size)
  }
}

/** Exactly `count` bytes. */
async function take(reader: ChunkReader, count: number): Promise<Buffer> {
  const bytes = await reader.peek(count)
  if (bytes.length < count) throw compressionInvalid('xz: the data is cut')
  reader.skip(count)
  return bytes.subarray(0, count)
}
