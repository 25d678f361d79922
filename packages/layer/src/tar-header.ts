import { decodeName } from './tar-name.ts'
import { TarFault } from './tar-fault.ts'

export const blockSize = 512

/** The fields of one header block as they stand there, before extended headers change them. */
export interface TarHeader {
  readonly name: string
  readonly linkname: string
  /** The type flag as a character; `'\0'` for the oldest archives. */
  readonly flag: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  /** Seconds; not finite when beyond what a number holds. */
  readonly mtime: number
  readonly devMajor: number
  readonly devMinor: number
}

/**
 * Reads the header at `block[at, at + 512)`; undefined for a block of zeros. Dialects are told apart as Go's
 * archive/tar does: `ustar\0` of any version, `ustar  \0` (GNU: no prefix field), `tar\0` at the end (star: a short
 * prefix), anything else is v7. Numbers are octal with spaces and NULs around, or base-256. Throws TarFault.
 */
export function readTarHeader(block: Buffer, at: number): TarHeader | undefined {
  if (block[at] === 0 && isZeroBlock(block, at)) return undefined
  checkSum(block, at)
  const flag = String.fromCharCode(block[at + 156] ?? 0)
  const device = flag === '3' || flag === '4'
  const modern = startsWith(block, at + 257, 'ustar')
  const ustar = modern && block[at + 262] === 0
  const prefix = ustar ? text(block, at + 345, isStar(block, at) ? 131 : 155) : ''
  const name = text(block, at, 100)
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    linkname: text(block, at + 157, 100),
    flag,
    mode: number(block, at + 100, 8, 'mode'),
    uid: number(block, at + 108, 8, 'user id'),
    gid: number(block, at + 116, 8, 'group id'),
    size: number(block, at + 124, 12, 'size'),
    mtime: number(block, at + 136, 12, 'time'),
    devMajor: device && modern ? number(block, at + 329, 8, 'device number') : 0,
    devMinor: device && modern ? number(block, at + 337, 8, 'device number') : 0,
  }
}

/**
 * A number field: octal digits with spaces before and spaces or NULs behind, an empty field (0), or base-256. NaN for
 * anything else, an infinity for what is beyond 2^53 - 1.
 */
function parseTarNumber(block: Uint8Array, start: number, length: number): number {
  if (((block[start] ?? 0) & 0x80) !== 0) return parseBase256(block, start, length)
  const end = start + length
  let at = start
  while (at < end && block[at] === 0x20) at += 1
  let value = 0
  for (; at < end; at += 1) {
    const digit = (block[at] ?? 0) - 0x30
    if (digit < 0 || digit > 7) break
    value = value * 8 + digit
  }
  for (; at < end; at += 1) {
    if (block[at] !== 0x20 && block[at] !== 0) return Number.NaN
  }
  return value
}

function parseBase256(block: Uint8Array, start: number, length: number): number {
  const first = block[start] ?? 0
  const negative = (first & 0x40) !== 0
  const flip = negative ? 0xff : 0
  let value = (first ^ flip) & 0x3f
  for (let at = start + 1; at < start + length; at += 1) {
    value = value * 256 + ((block[at] ?? 0) ^ flip)
  }
  if (value > Number.MAX_SAFE_INTEGER) return negative ? -Infinity : Infinity
  return negative ? -value - 1 : value
}

function number(block: Buffer, start: number, length: number, what: string): number {
  const value = parseTarNumber(block, start, length)
  if (Number.isNaN(value)) throw new TarFault(`the ${what} field is no number`)
  return value
}

function text(block: Buffer, start: number, length: number): string {
  let end = start
  while (end < start + length && block[end] !== 0) end += 1
  return decodeName(block, start, end)
}

/** The sum of all bytes with the field itself as spaces; old archives summed signed bytes. */
function checkSum(block: Buffer, at: number): void {
  const expected = parseTarNumber(block, at + 148, 8)
  let sum = 8 * 0x20
  let high = 0
  for (let index = at; index < at + 148; index += 1) {
    const byte = block[index] ?? 0
    sum += byte
    high += byte >> 7
  }
  for (let index = at + 156; index < at + blockSize; index += 1) {
    const byte = block[index] ?? 0
    sum += byte
    high += byte >> 7
  }
  if (expected !== sum && expected !== sum - 256 * high) {
    throw new TarFault('there is no header here (wrong checksum)')
  }
}

function isZeroBlock(block: Buffer, at: number): boolean {
  for (let index = at; index < at + blockSize; index += 1) {
    if (block[index] !== 0) return false
  }
  return true
}

function isStar(block: Buffer, at: number): boolean {
  return startsWith(block, at + 508, 'tar\0')
}

function startsWith(block: Buffer, at: number, word: string): boolean {
  for (let index = 0; index < word.length; index += 1) {
    if (block[at + index] !== word.charCodeAt(index)) return false
  }
  return true
}
