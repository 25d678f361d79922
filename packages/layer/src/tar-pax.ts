import { decodeName } from './tar-name.ts'
import { TarFault } from './tar-fault.ts'
import type { TarTime } from './tar-time.ts'
import { parsePaxTime } from './tar-time.ts'

/** What one PAX extended header says about the file behind it. */
export interface PaxHeader {
  path?: string
  linkpath?: string
  size?: number
  uid?: number
  gid?: number
  mtime?: TarTime
  xattrs?: Map<string, Uint8Array>
  sparse?: PaxSparse
}

/** The `GNU.sparse.*` records of one header (GNU tar manual, "PAX Sparse Formats" 0.0, 0.1 and 1.0). */
export interface PaxSparse {
  major?: string
  minor?: string
  name?: string
  size?: number
  realSize?: number
  blocks?: number
  /** Offset, length, offset, length, … of the stored pieces (0.0 and 0.1). */
  readonly map: number[]
}

/** The largest value of an extended attribute that Linux keeps. */
const maxXattrBytes = 64 * 1024
/** The longest name of an extended attribute that Linux keeps, in bytes. */
const maxXattrNameBytes = 255

const xattrPrefix = 'SCHILY.xattr.'

/**
 * Parses the body of an extended header (POSIX pax, "pax Extended Header"): `<length> <key>=<value>\n`, again and
 * again. The last of equal keys wins. Keys that no file attribute depends on (`atime`, `uname`, `comment`,
 * `LIBARCHIVE.xattr.*`, …) are checked for form and dropped. Throws TarFault.
 */
export function parsePax(body: Buffer): PaxHeader {
  const header: PaxHeader = {}
  for (let at = 0; at < body.length;) {
    const record = readRecord(body, at)
    takeRecord(header, record.key, body.subarray(record.valueStart, record.end - 1))
    at = record.end
  }
  return header
}

/**
 * Checks a global extended header. Go's reader (docker, podman) never applies one to files while others do, so a
 * record that would give a file another name, size or content is refused and all others are dropped.
 */
export function checkGlobalPax(body: Buffer): void {
  const { path, linkpath, size, sparse, xattrs } = parsePax(body)
  const given = { path, linkpath, size, sparse, xattrs }
  for (const [key, value] of Object.entries(given)) {
    if (value !== undefined) throw new TarFault(`a global extended header must not set ${key}`)
  }
}

function readRecord(body: Buffer, start: number): { key: string; valueStart: number; end: number } {
  let at = start
  let length = 0
  for (; at < body.length && body[at] !== 0x20; at += 1) {
    const digit = (body[at] ?? 0) - 0x30
    if (digit < 0 || digit > 9 || at - start > 9) throw new TarFault('PAX record: bad length')
    length = length * 10 + digit
  }
  const end = start + length
  if (at === start || end > body.length || end <= at + 1) {
    throw new TarFault('PAX record: bad length')
  }
  if (body[end - 1] !== 0x0a) throw new TarFault('PAX record: no newline at its end')
  const equals = body.indexOf(0x3d, at + 1)
  if (equals === -1 || equals >= end - 1) throw new TarFault('PAX record: no "="')
  if (equals === at + 1) throw new TarFault('PAX record: empty key')
  const key = decodeName(body, at + 1, equals)
  if (key.includes('\0')) throw new TarFault('PAX record: NUL in the key')
  return { key, valueStart: equals + 1, end }
}

function takeRecord(header: PaxHeader, key: string, value: Buffer): void {
  switch (key) {
    case 'path':
      header.path = textOf(key, value)
      return
    case 'linkpath':
      header.linkpath = textOf(key, value)
      return
    case 'size':
      header.size = numberOf(key, value)
      return
    case 'uid':
      header.uid = numberOf(key, value)
      return
    case 'gid':
      header.gid = numberOf(key, value)
      return
    case 'mtime':
      header.mtime = timeOf(key, value)
      return
    default:
      if (key.startsWith(xattrPrefix)) takeXattr(header, key.slice(xattrPrefix.length), value)
      else if (key.startsWith('GNU.sparse.')) takeSparse(header, key, value)
  }
}

function takeXattr(header: PaxHeader, name: string, value: Buffer): void {
  if (name === '') throw new TarFault('an extended attribute has no name')
  if (Buffer.byteLength(name) > maxXattrNameBytes) {
    throw new TarFault(`an extended attribute has a name of more than ${maxXattrNameBytes} bytes`)
  }
  if (value.length > maxXattrBytes) {
    throw new TarFault(`an extended attribute has more than ${maxXattrBytes} bytes`)
  }
  header.xattrs ??= new Map()
  header.xattrs.set(name, Uint8Array.from(value))
}

function takeSparse(header: PaxHeader, key: string, value: Buffer): void {
  const sparse = (header.sparse ??= { map: [] })
  switch (key) {
    case 'GNU.sparse.major':
      sparse.major = textOf(key, value)
      return
    case 'GNU.sparse.minor':
      sparse.minor = textOf(key, value)
      return
    case 'GNU.sparse.name':
      sparse.name = textOf(key, value)
      return
    case 'GNU.sparse.size':
      sparse.size = numberOf(key, value)
      return
    case 'GNU.sparse.realsize':
      sparse.realSize = numberOf(key, value)
      return
    case 'GNU.sparse.numblocks':
      sparse.blocks = numberOf(key, value)
      return
    case 'GNU.sparse.map':
      if (sparse.map.length > 0) throw new TarFault('PAX record: two sparse maps')
      for (const part of textOf(key, value).split(',')) sparse.map.push(numberFrom(key, part))
      return
    case 'GNU.sparse.offset':
    case 'GNU.sparse.numbytes': {
      const turn = sparse.map.length % 2 === 0 ? 'GNU.sparse.offset' : 'GNU.sparse.numbytes'
      if (key !== turn) throw new TarFault('PAX record: sparse pieces out of order')
      sparse.map.push(numberOf(key, value))
      return
    }
    default:
      throw new TarFault(`PAX record: unknown key ${key.slice(0, 40)}`)
  }
}

function textOf(key: string, value: Buffer): string {
  if (value.length === 0) throw new TarFault(`PAX record: ${key} is empty`)
  if (value.includes(0)) throw new TarFault(`PAX record: NUL in ${key}`)
  return decodeName(value)
}

function numberOf(key: string, value: Buffer): number {
  return numberFrom(key, value.toString('latin1'))
}

function numberFrom(key: string, text: string): number {
  const value = /^[0-9]{1,20}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(value)) {
    throw new TarFault(`PAX record: ${key} is no number from 0 to 2^53 - 1`)
  }
  return value
}

function timeOf(key: string, value: Buffer): TarTime {
  const time = value.length > 64 ? undefined : parsePaxTime(value.toString('latin1'))
  if (time === undefined) throw new TarFault(`PAX record: ${key} is no time`)
  return time
}
