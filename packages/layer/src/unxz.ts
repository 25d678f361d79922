import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Bytes } from '@katman/oci'
import { type ChunkReader, openChunkReader } from './chunk-reader.ts'
import { compressionInvalid, compressionUnsupported } from './compression-error.ts'
import { createCrc64 } from './crc64.ts'
import { lzma2 } from './lzma2.ts'

const xzMagic = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])

/** The largest dictionary, 128 MiB: twice what `xz -9` makes. */
const maxDictionaryBytes = 128 * 1024 * 1024
const lzma2Filter = 0x21

/**
 * Unpacks xz (xz-file-format.txt 1.2): any number of streams with their padding, every check (none, CRC32, CRC64,
 * SHA-256), the filter LZMA2. Headers, checks, sizes, index and footer must agree. Throws `LAYER_COMPRESSION_INVALID`, and
 * `COMPRESSION_UNSUPPORTED` for other filters and checks, or a dictionary of more than 128 MiB.
 */
export async function* unxz(source: Bytes): Bytes {
  const reader = openChunkReader(source)
  try {
    yield* readStream(reader)
    for (;;) {
      const next = await reader.peek(4)
      if (next.length === 0) return
      if (next.length >= 4 && next.readUInt32LE() === 0) reader.skip(4)
      else yield* readStream(reader)
    }
  } finally {
    await reader.close()
  }
}

async function* readStream(reader: ChunkReader): Bytes {
  const header = await take(reader, 12)
  if (!header.subarray(0, 6).equals(xzMagic)) throw damaged('what follows is no stream')
  const flags = Buffer.from(header.subarray(6, 8))
  if (crc32(flags) !== header.readUInt32LE(8)) throw damaged('the stream header is damaged')
  const check = checkOf(flags)
  const blocks = createTally()
  for (;;) {
    const [size = 0] = await peek(reader, 1)
    if (size === 0) break
    yield* readBlock(reader, (size + 1) * 4, check, blocks)
  }
  const indexSize = await checkIndex(reader, blocks)
  const footer = await take(reader, 12)
  const isRight =
    footer.subarray(10).toString('latin1') === 'YZ' &&
    footer.subarray(8, 10).equals(flags) &&
    crc32(footer.subarray(4, 10)) === footer.readUInt32LE(0) &&
    (footer.readUInt32LE(4) + 1) * 4 === indexSize
  if (!isRight) throw damaged('the stream footer is damaged')
}

/** A check over the bytes of a block. */
interface Check {
  readonly size: number
  start(): { update(bytes: Uint8Array): unknown; digest(): Uint8Array }
}

function checkOf(flags: Buffer): Check {
  const kind = flags[1] ?? 0
  if (flags[0] !== 0 || kind > 15) throw unsupported('stream flags of a later version')
  switch (kind) {
    case 0:
      return { size: 0, start: () => ({ update() {}, digest: () => Buffer.alloc(0) }) }
    case 1:
      return { size: 4, start: createCrc32 }
    case 4:
      return { size: 8, start: createCrc64 }
    case 10:
      return { size: 32, start: () => createHash('sha256') }
    default:
      throw unsupported(`the check of number ${kind}`)
  }
}

function createCrc32(): ReturnType<Check['start']> {
  let value = 0
  return {
    update(bytes) {
      value = crc32(bytes, value)
    },
    digest() {
      const result = Buffer.alloc(4)
      result.writeUInt32LE(value)
      return result
    },
  }
}

async function* readBlock(
  reader: ChunkReader,
  headerSize: number,
  check: Check,
  blocks: Tally,
): Bytes {
  const header = readBlockHeader(await take(reader, headerSize))
  const counted = countingReader(reader)
  const hash = check.start()
  let size = 0
  for await (const chunk of lzma2(counted, header.dictionaryBytes)) {
    hash.update(chunk)
    size += chunk.byteLength
    if (size > (header.size ?? Infinity)) throw damaged('a block is larger than it says')
    yield chunk
  }
  const packedSize = counted.count()
  if (packedSize !== (header.packedSize ?? packedSize) || size !== (header.size ?? size)) {
    throw damaged('a block has another size than it says')
  }
  const padding = await take(reader, (4 - (packedSize % 4)) % 4)
  if (padding.some((byte) => byte !== 0)) throw damaged('the padding of a block is not zero')
  if (!(await take(reader, check.size)).equals(hash.digest())) {
    throw damaged('the check of a block is wrong')
  }
  blocks.add(headerSize + packedSize + check.size, size)
}

interface BlockHeader {
  readonly packedSize: number | undefined
  readonly size: number | undefined
  readonly dictionaryBytes: number
}

function readBlockHeader(bytes: Buffer): BlockHeader {
  const end = bytes.length - 4
  if (crc32(bytes.subarray(0, end)) !== bytes.readUInt32LE(end)) {
    throw damaged('a block header is damaged')
  }
  let at = 2
  const number = (): number => {
    const { value, next } = readNumber(bytes.subarray(0, end), at)
    at = next
    return value
  }
  const flags = bytes[1] ?? 0
  if ((flags & 0x3c) !== 0) throw unsupported('block flags of a later version')
  const packedSize = (flags & 0x40) === 0 ? undefined : number()
  const size = (flags & 0x80) === 0 ? undefined : number()
  const filter = number()
  if ((flags & 3) !== 0 || filter !== lzma2Filter) {
    throw unsupported('a filter before LZMA2 (such as x86 or delta)')
  }
  if (number() !== 1) throw damaged('a filter with the wrong properties')
  const dictionaryBytes = dictionarySize(bytes[at] ?? 0)
  at += 1
  if (bytes.subarray(at, end).some((byte) => byte !== 0)) {
    throw unsupported('fields of a later version')
  }
  return { packedSize, size, dictionaryBytes }
}

function dictionarySize(code: number): number {
  if (code > 40) throw damaged('an impossible dictionary')
  const size = (2 | (code & 1)) * 2 ** ((code >> 1) + 11)
  if (size <= maxDictionaryBytes) return size
  throw unsupported(`a dictionary of ${size} bytes, more than ${maxDictionaryBytes}`)
}

/** The index must say of each block, in order, what it was: only a count and a checksum of that are kept. */
interface Tally {
  add(unpaddedSize: number, size: number): void
  equals(other: Tally): boolean
  readonly state: readonly [number, number]
}

function createTally(): Tally {
  let count = 0
  let sum = 0
  return {
    add(unpaddedSize, size) {
      count += 1
      sum = crc32(`${unpaddedSize} ${size};`, sum)
    },
    equals: ({ state }) => state[0] === count && state[1] === sum,
    get state() {
      return [count, sum] as const
    },
  }
}

/** Reads the index and gives its size in bytes. */
async function checkIndex(reader: ChunkReader, blocks: Tally): Promise<number> {
  let size = 0
  let sum = 0
  const use = async (count: number): Promise<void> => {
    const bytes = await take(reader, count)
    sum = crc32(bytes, sum)
    size += count
  }
  const number = async (): Promise<number> => {
    const { value, next } = readNumber((await reader.peek(9)).subarray(0, 9), 0)
    await use(next)
    return value
  }
  await use(1)
  const listed = createTally()
  for (let left = await number(); left > 0; left -= 1) listed.add(await number(), await number())
  if (!blocks.equals(listed)) throw damaged('the index does not fit its blocks')
  while (size % 4 !== 0) {
    const [byte] = await peek(reader, 1)
    if (byte !== 0) throw damaged('the padding of the index is not zero')
    await use(1)
  }
  if ((await take(reader, 4)).readUInt32LE() !== sum) throw damaged('the index is damaged')
  return size + 4
}

/** A number of seven bits a byte, at most nine bytes (1.2). */
function readNumber(bytes: Uint8Array, start: number): { value: number; next: number } {
  let value = 0
  for (let at = start; at < start + 9; at += 1) {
    const byte = bytes[at]
    if (byte === undefined) throw damaged('the data is cut')
    value += (byte & 0x7f) * 2 ** (7 * (at - start))
    if (byte >= 0x80) continue
    if ((byte === 0 && at > start) || !Number.isSafeInteger(value)) break
    return { value, next: at + 1 }
  }
  throw damaged('an impossible number')
}

function countingReader(reader: ChunkReader): ChunkReader & { count(): number } {
  let count = 0
  return {
    ...reader,
    skip(bytes) {
      count += bytes
      reader.skip(bytes)
    },
    count: () => count,
  }
}

async function peek(reader: ChunkReader, count: number): Promise<Buffer> {
  const bytes = await reader.peek(count)
  if (bytes.length < count) throw damaged('the data is cut')
  return bytes.subarray(0, count)
}

async function take(reader: ChunkReader, count: number): Promise<Buffer> {
  const bytes = await peek(reader, count)
  reader.skip(count)
  return bytes
}

function damaged(reason: string): Error {
  return compressionInvalid(`xz: ${reason}`)
}

function unsupported(reason: string): Error {
  return compressionUnsupported(
    `xz with ${reason}`,
    'pack it again with plain options: xz -dc OLD | xz -6 > NEW',
  )
}
