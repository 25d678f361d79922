import type { Bytes } from '@katman/oci'
import { blockSize } from './tar-header.ts'
import { encodeName } from './tar-name.ts'
import type { TarEntryType } from './tar-entry.ts'
import { formatPaxTime } from './tar-time.ts'

/** An entry to write. */
export interface TarInput {
  /** As it shall stand in the archive; a directory gets its slash at the end. */
  readonly name: string
  /** Default `file`. */
  readonly type?: TarEntryType
  /** Default 0755 for directories, else 0644. */
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  /** Whole seconds since 1970, rounded down. Default 0. */
  readonly mtime?: number
  readonly mtimeNanos?: number
  /** The target of a symlink or hardlink. */
  readonly linkname?: string
  readonly devMajor?: number
  readonly devMinor?: number
  readonly xattrs?: ReadonlyMap<string, Uint8Array>
  /** For {@link tarHeader}: the whole size of a sparse file, and its stored pieces: offset, length, offset, … */
  readonly sparse?: { readonly size: number; readonly pieces: readonly number[] }
  /** The bytes of a file; a text is written as UTF-8. Default empty. */
  readonly content?: Uint8Array | string
}

const flags: Readonly<Record<TarEntryType, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
}

/**
 * Writes a tar archive: ustar, with a PAX header before an entry that ustar cannot hold. Deterministic: equal entries
 * give equal bytes. {@link createTarReader} reads the same entries back. Ends with two blocks of zeros.
 */
export async function* writeTar(entries: Iterable<TarInput> | AsyncIterable<TarInput>): Bytes {
  for await (const entry of entries) {
    const content = contentOf(entry)
    yield tarHeader(entry, content.length)
    if (content.length > 0) yield content
    if (content.length % blockSize > 0) yield padding(content.length)
  }
  yield Buffer.alloc(2 * blockSize)
}

/** {@link writeTar} in one piece, for small archives. */
export function tarBytes(entries: Iterable<TarInput>): Uint8Array {
  const parts: Uint8Array[] = []
  for (const entry of entries) {
    const content = contentOf(entry)
    parts.push(tarHeader(entry, content.length), content, padding(content.length))
  }
  return Buffer.concat([...parts, Buffer.alloc(2 * blockSize)])
}

/** The header blocks of an entry, for who writes the content and its padding to 512 bytes himself. */
export function tarHeader(entry: TarInput, size: number): Uint8Array {
  const { type = 'file', uid = 0, gid = 0, mtime = 0, mtimeNanos = 0, xattrs } = entry
  const { mode = type === 'directory' ? 0o755 : 0o644 } = entry
  const slash = type === 'directory' && !entry.name.endsWith('/')
  const name = encodeName(slash ? `${entry.name}/` : entry.name)
  const link = encodeName(entry.linkname ?? '')
  const split = splitName(name)
  const records: Buffer[] = []
  if (split === undefined) records.push(paxRecord('path', name))
  if (link.length > 100) records.push(paxRecord('linkpath', link))
  if (size > maxOctal(12)) records.push(paxRecord('size', String(size)))
  if (uid > maxOctal(8)) records.push(paxRecord('uid', String(uid)))
  if (gid > maxOctal(8)) records.push(paxRecord('gid', String(gid)))
  if (mtimeNanos !== 0 || mtime < 0 || mtime > maxOctal(12)) {
    records.push(paxRecord('mtime', formatPaxTime({ seconds: mtime, nanos: mtimeNanos })))
  }
  if (entry.sparse !== undefined) {
    // PAX sparse format 0.1: the header has the size of what is stored.
    records.push(paxRecord('GNU.sparse.size', String(entry.sparse.size)))
    records.push(paxRecord('GNU.sparse.numblocks', String(entry.sparse.pieces.length / 2)))
    records.push(paxRecord('GNU.sparse.map', entry.sparse.pieces.join(',')))
  }
  for (const [key, value] of xattrs ?? []) records.push(paxRecord(`SCHILY.xattr.${key}`, value))

  const { prefix = Buffer.alloc(0), rest = name.subarray(0, 100) } = split ?? {}
  const block = headerBlock({
    name: rest,
    prefix,
    link: link.subarray(0, 100),
    flag: flags[type],
    numbers: [mode, uid, gid, size, mtime, entry.devMajor ?? 0, entry.devMinor ?? 0],
  })
  if (records.length === 0) return block
  const body = Buffer.concat(records)
  const extended = headerBlock({
    name: Buffer.from('PaxHeader'),
    prefix: Buffer.alloc(0),
    link: Buffer.alloc(0),
    flag: 'x',
    numbers: [0o644, 0, 0, body.length, 0, 0, 0],
  })
  return Buffer.concat([extended, body, padding(body.length), block])
}

function contentOf(entry: TarInput): Uint8Array {
  const { type = 'file', content = '' } = entry
  if (type !== 'file') return Buffer.alloc(0)
  return typeof content === 'string' ? Buffer.from(content, 'utf8') : content
}

function padding(size: number): Uint8Array {
  return Buffer.alloc((blockSize - (size % blockSize)) % blockSize)
}

/** Name and prefix of ustar; undefined when the name fits only a PAX record. */
function splitName(name: Buffer): { prefix: Buffer; rest: Buffer } | undefined {
  if (name.length <= 100) return { prefix: Buffer.alloc(0), rest: name }
  for (let slash = Math.min(155, name.length - 2); slash > 0; slash -= 1) {
    if (name.length - slash - 1 > 100) return undefined
    if (name[slash] === 0x2f) {
      return { prefix: name.subarray(0, slash), rest: name.subarray(slash + 1) }
    }
  }
  return undefined
}

function headerBlock(fields: {
  readonly name: Buffer
  readonly prefix: Buffer
  readonly link: Buffer
  readonly flag: string
  readonly numbers: readonly [number, number, number, number, number, number, number]
}): Buffer {
  const [mode, uid, gid, size, mtime, devMajor, devMinor] = fields.numbers
  const block = Buffer.alloc(blockSize)
  block.set(fields.name, 0)
  writeOctal(block, 100, 8, mode)
  writeOctal(block, 108, 8, uid)
  writeOctal(block, 116, 8, gid)
  writeOctal(block, 124, 12, size)
  writeOctal(block, 136, 12, mtime)
  block.write('        ', 148, 'latin1')
  block.write(fields.flag, 156, 'latin1')
  block.set(fields.link, 157)
  block.write('ustar\x0000', 257, 'latin1')
  writeOctal(block, 329, 8, devMajor)
  writeOctal(block, 337, 8, devMinor)
  block.set(fields.prefix, 345)
  let sum = 0
  for (const byte of block) sum += byte
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

/** What does not fit stands in a PAX record, and 0 here. */
function writeOctal(block: Buffer, at: number, length: number, value: number): void {
  const fits = value >= 0 && value <= maxOctal(length)
  block.write((fits ? value : 0).toString(8).padStart(length - 1, '0'), at, 'latin1')
}

function maxOctal(length: number): number {
  return 8 ** (length - 1) - 1
}

/** `<length> <key>=<value>\n`, where the length counts its own digits. */
function paxRecord(key: string, value: Uint8Array | string): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value
  const text = encodeName(key)
  const rest = text.length + bytes.length + 3
  let length = rest + String(rest).length
  if (String(length).length > String(rest).length) length += 1
  return Buffer.concat([
    Buffer.from(`${length} `),
    text,
    Buffer.from('='),
    bytes,
    Buffer.from('\n'),
  ])
}
