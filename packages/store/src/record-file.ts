import { hash } from 'node:crypto'
import type { Files } from './files.ts'

/**
 * A small record as the bytes of its file: the JSON with its hash, twice. A changed byte is found, and the
 * other copy still tells what the record was.
 */
export function encodeRecord(value: unknown): Uint8Array {
  const json = JSON.stringify(value)
  const copy = `${json}\n${checksum(json)}\n`
  return Buffer.from(copy + copy)
}

export interface DecodedRecord {
  readonly value: unknown
  /** False when one of the copies was damaged. */
  readonly intact: boolean
}

/** Reads a record's file; undefined when no copy is whole. */
export function decodeRecord(bytes: Uint8Array): DecodedRecord | undefined {
  const middle = bytes.byteLength / 2
  if (!Number.isInteger(middle)) return decodeCopies([bytes])
  return decodeCopies([bytes.subarray(0, middle), bytes.subarray(middle)])
}

/** Reads the first whole copy of a record's file, without looking at the other. */
export function readRecord(files: Files, file: string): unknown {
  const text = files.readText(file)
  const first = decodeText(text.slice(0, text.length / 2))
  // Damage may change the number of characters: only bytes show where the other copy begins.
  return first === undefined ? readRecordValue(files.readFile(file)) : first.value
}

/** Reads a record's first whole copy, without looking at the other. */
export function readRecordValue(bytes: Uint8Array): unknown {
  const middle = Math.floor(bytes.byteLength / 2)
  return (
    decodeCopy(bytes.subarray(0, middle)) ?? decodeCopy(bytes.subarray(bytes.byteLength - middle))
  )?.value
}

/** `sha256:<hex>` of a text. */
export function checksum(text: string): string {
  return `sha256:${hash('sha256', text)}`
}

const checksumLength = checksum('').length

function decodeCopies(copies: readonly Uint8Array[]): DecodedRecord | undefined {
  const decoded = copies.map(decodeCopy)
  const whole = decoded.find((copy) => copy !== undefined)
  if (whole === undefined) return undefined
  return { value: whole.value, intact: copies.length === 2 && !decoded.includes(undefined) }
}

function decodeCopy(bytes: Uint8Array): { readonly value: unknown } | undefined {
  return decodeText(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'))
}

function decodeText(text: string): { readonly value: unknown } | undefined {
  const end = text.length - checksumLength - 2
  if (end < 0 || text[end] !== '\n' || text.at(-1) !== '\n') return undefined
  const json = text.slice(0, end)
  if (text.slice(end + 1, -1) !== checksum(json)) return undefined
  try {
    return { value: JSON.parse(json) as unknown }
  } catch {
    return undefined
  }
}
