import { createHash } from 'node:crypto'
import { type Digest, KatmanError, parseDigest } from '@katman/oci'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import type { LayerEntry, LayerEntryType } from './layer-entry.ts'
import type { LayerIndex } from './layer-index.ts'
import { encodeName } from './tar-name.ts'

/*
 * The file of a layer index, version 1. Numbers are LEB128 unless said otherwise, `signed` in zigzag.
 *
 *   "KATMANIX" version(1 byte) entries… end(1 byte 0xff) count size diffID(text with its length) sha256(32 bytes)
 *
 * The sha256 is of all bytes before it. An entry is
 *
 *   type(1 byte) flags(1 byte) shared rest name… mode uid gid signed(mtime - previous) size offset - previous
 *   [nanos] [link] [major minor] [count (name value)…] [count piece…] [sha256(32 bytes)]
 *
 * where `shared` is how many bytes of the previous path begin this one, and the parts in brackets follow when their
 * flag says so. What is known only at the end of a layer stands behind the entries, so that they are written as read.
 */
const magic = 'KATMANIX'
const version = 1
const endMark = 0xff
const types: readonly LayerEntryType[] = [
  'file',
  'directory',
  'symlink',
  'hardlink',
  'character',
  'block',
  'fifo',
  'whiteout',
  'opaque',
]
const hasNanos = 1
const hasLink = 2
const hasDevice = 4
const hasXattrs = 8
const hasSparse = 16
const hasSha256 = 32

/** The bytes of an index: a compact, versioned form with a checksum. */
export function encodeLayerIndex(index: LayerIndex): Uint8Array {
  const encoder = createIndexEncoder()
  for (const entry of index.entries) encoder.add(entry)
  return encoder.finish(index)
}

/** Encodes entry by entry, so that a large layer never stands in memory as objects. */
export interface IndexEncoder {
  add(entry: LayerEntry): void
  readonly count: () => number
  /** The bytes of the whole index. The encoder must not be used again. */
  finish(facts: { readonly diffID: Digest; readonly size: number }): Uint8Array<ArrayBuffer>
}

/** Throws `LAYER_INDEX_TOO_LARGE` when the index passes 1 GiB. */
export function createIndexEncoder(): IndexEncoder {
  const writer = new ByteWriter()
  writer.bytes(Buffer.from(magic))
  writer.byte(version)
  let count = 0
  let previousPath: Buffer = Buffer.alloc(0)
  let previousTime = 0
  let previousOffset = 0
  return {
    count: () => count,
    add(entry) {
      const path = encodeName(entry.path)
      const shared = sharedLength(previousPath, path)
      writer.byte(types.indexOf(entry.type))
      writer.byte(flagsOf(entry))
      writer.number(shared)
      writer.number(path.length - shared)
      writer.bytes(path.subarray(shared))
      writer.number(entry.mode)
      writer.number(entry.uid)
      writer.number(entry.gid)
      writer.signed(entry.mtime - previousTime)
      writer.number(entry.size)
      writer.signed(entry.offset - previousOffset)
      writeRest(writer, entry)
      previousPath = path
      previousTime = entry.mtime
      previousOffset = entry.offset
      count += 1
    },
    finish({ diffID, size }) {
      writer.byte(endMark)
      writer.number(count)
      writer.number(size)
      writer.text(diffID)
      writer.bytes(createHash('sha256').update(writer.written()).digest())
      return writer.finish()
    },
  }
}

/**
 * Reads what {@link encodeLayerIndex} wrote. Throws `LAYER_INDEX_INVALID` for anything else: another version, a cut
 * file, a single changed bit.
 */
export function decodeLayerIndex(bytes: Uint8Array): LayerIndex {
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const end = whole.length - 32
  if (end < magic.length + 1 || whole.toString('latin1', 0, magic.length) !== magic) {
    throw indexInvalid('this is no layer index')
  }
  if (whole[magic.length] !== version) {
    throw indexInvalid(`version ${whole[magic.length]} is not known here`)
  }
  const sum = createHash('sha256').update(whole.subarray(0, end)).digest()
  if (!sum.equals(whole.subarray(end))) throw indexInvalid('the checksum is wrong')
  try {
    return readIndex(new ByteReader(whole.subarray(0, end), magic.length + 1))
  } catch (error) {
    throw indexInvalid(error instanceof Error ? error.message : String(error))
  }
}

function readIndex(reader: ByteReader): LayerIndex {
  const entries: LayerEntry[] = []
  const path = { bytes: Buffer.alloc(4096 + 16), length: 0 }
  let mtime = 0
  let offset = 0
  for (;;) {
    const kind = reader.byte()
    if (kind === endMark) break
    const type = types[kind]
    if (type === undefined) throw new RangeError(`unknown entry type ${kind}`)
    const flags = reader.byte()
    const name = reader.nameAfter(path)
    const mode = reader.number()
    const uid = reader.number()
    const gid = reader.number()
    mtime += reader.signed()
    const size = reader.number()
    offset += reader.signed()
    const entry = { path: name, type, mode, uid, gid, size, mtime, offset }
    entries.push(flags === 0 ? entry : Object.assign(entry, readRest(reader, flags)))
  }
  const count = reader.number()
  const size = reader.number()
  const diffID = parseDigest(reader.text())
  if (count !== entries.length || !reader.atEnd()) throw new RangeError('the count is wrong')
  return { diffID, size, entries }
}

function flagsOf(entry: LayerEntry): number {
  return (
    (entry.mtimeNanos === undefined ? 0 : hasNanos) |
    (entry.linkname === undefined ? 0 : hasLink) |
    (entry.devMajor === undefined ? 0 : hasDevice) |
    (entry.xattrs === undefined ? 0 : hasXattrs) |
    (entry.sparse === undefined ? 0 : hasSparse) |
    (entry.sha256 === undefined ? 0 : hasSha256)
  )
}

function writeRest(writer: ByteWriter, entry: LayerEntry): void {
  if (entry.mtimeNanos !== undefined) writer.number(entry.mtimeNanos)
  if (entry.linkname !== undefined) writer.text(entry.linkname)
  if (entry.devMajor !== undefined) {
    writer.number(entry.devMajor)
    writer.number(entry.devMinor ?? 0)
  }
  if (entry.xattrs !== undefined) {
    writer.number(entry.xattrs.size)
    for (const [name, value] of entry.xattrs) {
      writer.text(name)
      writer.number(value.length)
      writer.bytes(value)
    }
  }
  if (entry.sparse !== undefined) {
    writer.number(entry.sparse.length)
    for (const number of entry.sparse) writer.number(number)
  }
  if (entry.sha256 !== undefined) writer.bytes(Buffer.from(entry.sha256, 'hex'))
}

function readRest(reader: ByteReader, flags: number): Partial<LayerEntry> {
  const nanos = (flags & hasNanos) === 0 ? undefined : reader.number()
  const link = (flags & hasLink) === 0 ? undefined : reader.text()
  const device =
    (flags & hasDevice) === 0 ? undefined : { devMajor: reader.number(), devMinor: reader.number() }
  const xattrs = (flags & hasXattrs) === 0 ? undefined : readXattrs(reader)
  const sparse =
    (flags & hasSparse) === 0
      ? undefined
      : Array.from({ length: reader.count() }, () => reader.number())
  const sha256 = (flags & hasSha256) === 0 ? undefined : reader.bytes(32).toString('hex')
  return {
    ...(nanos !== undefined && { mtimeNanos: nanos }),
    ...(link !== undefined && { linkname: link }),
    ...device,
    ...(xattrs !== undefined && { xattrs }),
    ...(sparse !== undefined && { sparse }),
    ...(sha256 !== undefined && { sha256 }),
  }
}

function readXattrs(reader: ByteReader): ReadonlyMap<string, Uint8Array> {
  const xattrs = new Map<string, Uint8Array>()
  for (let left = reader.count(); left > 0; left -= 1) {
    const name = reader.text()
    xattrs.set(name, Uint8Array.from(reader.bytes(reader.number())))
  }
  return xattrs
}

function sharedLength(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  let at = 0
  while (at < length && a[at] === b[at]) at += 1
  return at
}

function indexInvalid(reason: string): KatmanError {
  return new KatmanError('LAYER_INDEX_INVALID', `layer index: ${reason}`, {
    hint: 'remove it; it is made again from the layer',
    details: { reason },
  })
}
