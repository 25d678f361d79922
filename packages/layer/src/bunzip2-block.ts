import type { BitReader } from './bit-reader.ts'
import { compressionInvalid, compressionUnsupported } from './compression-error.ts'

/** More than any block has, packed: 900,001 codes of 20 bits, and its tables. */
export const maxBlockBytes = 2_500_000

const groupSize = 50
const maxCodeBits = 20
const outputBytes = 256 * 1024

/**
 * Unpacks the block behind its mark and checksum; `maxSize` is the size of blocks that the stream says. Returns the
 * checksum of what came out. A block of 900,000 bytes may unpack to 46 MB of repeated bytes, so it comes in pieces.
 */
export function* bunzipBlock(
  bits: BitReader,
  maxSize: number,
): Generator<Uint8Array, number, undefined> {
  if (bits.read(1) === 1) {
    throw compressionUnsupported(
      'bzip2 with randomised blocks, as before version 0.9.5',
      'pack it again: bzip2 -dc OLD | bzip2 > NEW',
    )
  }
  const origin = bits.read(24)
  const block = readSymbols(bits, maxSize)
  if (bits.isCut()) throw damaged('the data is cut')
  const { size } = block
  if (origin >= size) throw damaged('a block that starts nowhere')
  return yield* expandRuns(unsort(block), size, origin)
}

interface Block {
  /** The last column of the sorted rotations; the upper 24 bits are free. */
  readonly column: Uint32Array
  readonly size: number
}

/** Huffman codes, move to front and the runs of its zeros. */
function readSymbols(bits: BitReader, maxSize: number): Block {
  const front = readAlphabet(bits)
  const symbols = front.length + 2
  const tableCount = bits.read(3)
  if (tableCount < 2 || tableCount > 6) throw damaged('an impossible number of tables')
  const selectors = readSelectors(bits, tableCount)
  const tables = Array.from({ length: tableCount }, () => readTable(bits, symbols))
  const column = new Uint32Array(maxSize)
  const end = symbols - 1
  let size = 0
  let run = 0
  let runWeight = 1
  let group = 0
  let left = 0
  let table = tables[0]
  for (;;) {
    if (left === 0) {
      const selector = selectors[group]
      table = selector === undefined ? undefined : tables[selector]
      if (table === undefined) throw damaged('a block without its end')
      group += 1
      left = groupSize
    }
    left -= 1
    if (table === undefined) throw damaged('a block without its tables')
    const symbol = readCode(bits, table)
    if (symbol <= 1) {
      run += runWeight << symbol
      runWeight <<= 1
      if (run > maxSize) throw damaged('a block larger than it may be')
      continue
    }
    if (run > 0) {
      if (size + run > maxSize) throw damaged('a block larger than it may be')
      column.fill(front[0] ?? 0, size, size + run)
      size += run
      run = 0
      runWeight = 1
    }
    if (symbol === end) return { column, size }
    if (size === maxSize) throw damaged('a block larger than it may be')
    const place = symbol - 1
    const byte = front[place] ?? 0
    front.copyWithin(1, 0, place)
    front[0] = byte
    column[size] = byte
    size += 1
  }
}

/** The bytes that occur, ascending. */
function readAlphabet(bits: BitReader): Uint8Array {
  const used = bits.read(16)
  const found: number[] = []
  for (let high = 0; high < 16; high += 1) {
    if ((used & (0x8000 >> high)) === 0) continue
    const map = bits.read(16)
    for (let low = 0; low < 16; low += 1) {
      if ((map & (0x8000 >> low)) !== 0) found.push(high * 16 + low)
    }
  }
  if (found.length === 0) throw damaged('a block of no bytes')
  return Uint8Array.from(found)
}

/** Which table each group of 50 symbols uses. */
function readSelectors(bits: BitReader, tableCount: number): Uint8Array {
  const count = bits.read(15)
  if (count === 0) throw damaged('a block without its end')
  const order = [0, 1, 2, 3, 4, 5]
  const selectors = new Uint8Array(count)
  for (let index = 0; index < count; index += 1) {
    let place = 0
    while (bits.read(1) === 1) {
      place += 1
      if (place >= tableCount) throw damaged('a table that does not exist')
    }
    const [selector = 0] = order.splice(place, 1)
    order.unshift(selector)
    selectors[index] = selector
  }
  return selectors
}

/** A canonical code: for each length the first value behind its codes, and what to add to find the symbol. */
interface CodeTable {
  readonly limits: Int32Array
  readonly offsets: Int32Array
  readonly symbols: Uint16Array
}

function readTable(bits: BitReader, symbols: number): CodeTable {
  const lengths = new Uint8Array(symbols)
  const counts = new Int32Array(maxCodeBits + 1)
  let length = bits.read(5)
  for (let symbol = 0; symbol < symbols; symbol += 1) {
    for (;;) {
      if (length < 1 || length > maxCodeBits || bits.isCut()) throw damaged('an impossible code')
      if (bits.read(1) === 0) break
      length += bits.read(1) === 0 ? 1 : -1
    }
    lengths[symbol] = length
    counts[length] = (counts[length] ?? 0) + 1
  }
  const limits = new Int32Array(maxCodeBits + 1)
  const offsets = new Int32Array(maxCodeBits + 1)
  const sorted = new Uint16Array(symbols)
  let code = 0
  let index = 0
  for (let size = 1; size <= maxCodeBits; size += 1) {
    code <<= 1
    offsets[size] = index - code
    for (let symbol = 0; symbol < symbols; symbol += 1) {
      if (lengths[symbol] !== size) continue
      sorted[index] = symbol
      index += 1
    }
    code += counts[size] ?? 0
    if (code > 2 ** size) throw damaged('an impossible code')
    limits[size] = code
  }
  return { limits, offsets, symbols: sorted }
}

function readCode(bits: BitReader, { limits, offsets, symbols }: CodeTable): number {
  const ahead = bits.peek(maxCodeBits)
  for (let size = 1; size <= maxCodeBits; size += 1) {
    const code = ahead >>> (maxCodeBits - size)
    if (code >= (limits[size] ?? 0)) continue
    bits.skip(size)
    return symbols[code + (offsets[size] ?? 0)] ?? 0
  }
  throw damaged('a code that does not exist')
}

/** Links each place of the column to the one that follows it, in the upper 24 bits. */
function unsort({ column, size }: Block): Uint32Array {
  const starts = new Uint32Array(256)
  for (let at = 0; at < size; at += 1) {
    const byte = column[at] ?? 0
    starts[byte] = (starts[byte] ?? 0) + 1
  }
  let sum = 0
  for (let byte = 0; byte < 256; byte += 1) {
    const count = starts[byte] ?? 0
    starts[byte] = sum
    sum += count
  }
  for (let at = 0; at < size; at += 1) {
    const byte = (column[at] ?? 0) & 0xff
    const place = starts[byte] ?? 0
    starts[byte] = place + 1
    column[place] = (column[place] ?? 0) | (at << 8)
  }
  return column
}

/** Walks the links; behind four equal bytes stands how often they come again. */
function* expandRuns(
  column: Uint32Array,
  size: number,
  origin: number,
): Generator<Uint8Array, number, undefined> {
  const table = crcTable()
  let output = Buffer.allocUnsafe(outputBytes)
  let filled = 0
  let crc = 0xffffffff
  let place = (column[origin] ?? 0) >>> 8
  let last = -1
  let equal = 0
  for (let left = size; left > 0; left -= 1) {
    const link = column[place] ?? 0
    const byte = link & 0xff
    place = link >>> 8
    let times = 1
    let value = byte
    if (equal === 4) {
      times = byte
      value = last
      equal = 0
      last = -1
    } else {
      equal = byte === last ? equal + 1 : 1
      last = byte
    }
    for (; times > 0; times -= 1) {
      output[filled] = value
      filled += 1
      crc = (crc << 8) ^ (table[(crc >>> 24) ^ value] ?? 0)
      if (filled < outputBytes) continue
      yield output
      output = Buffer.allocUnsafe(outputBytes)
      filled = 0
    }
  }
  if (filled > 0) yield output.subarray(0, filled)
  return ~crc >>> 0
}

/** CRC-32 with the most significant bit first. */
function crcTable(): Int32Array {
  return Int32Array.from({ length: 256 }, (_, index) => {
    let value = index << 24
    for (let step = 0; step < 8; step += 1) {
      value = value < 0 ? (value << 1) ^ 0x04c11db7 : value << 1
    }
    return value
  })
}

function damaged(reason: string): Error {
  return compressionInvalid(`bzip2: ${reason}`)
}
