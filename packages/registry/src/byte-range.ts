import type { ByteRange } from './object-store.ts'

/**
 * Reads a `Range` header of one range (RFC 9110, section 14.2). Undefined for what a server may ignore:
 * another unit, several ranges, bad syntax.
 */
export function parseRange(header: string, size: number): ByteRange | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header.trim())
  if (match === null) return undefined
  const [, first = '', last = ''] = match
  if (first === '') {
    if (last === '') return undefined
    const start = Math.max(0, size - Number(last))
    return start < size ? { start, end: size } : 'unsatisfiable'
  }
  const start = Number(first)
  const end = last === '' ? size : Math.min(size, Number(last) + 1)
  // `500-0` is bad syntax by the letter; answering 416 tells the client more than the whole blob would.
  return start < end ? { start, end } : 'unsatisfiable'
}
