import type { PaxSparse } from './tar-pax.ts'
import { TarFault } from './tar-fault.ts'

/** True for PAX sparse format 1.0, where the map stands before the content. */
export function needsSparseMap(sparse: PaxSparse): boolean {
  const version = `${sparse.major ?? ''}.${sparse.minor ?? ''}`
  if (version === '1.0') {
    if (sparse.realSize === undefined) throw new TarFault('a sparse file without its real size')
    if (sparse.map.length > 0) throw new TarFault('a sparse file with two maps')
    return true
  }
  if (version === '.' || version === '0.0' || version === '0.1') return false
  throw new TarFault('an unknown version of sparse file')
}

/** The real size and the pieces of a sparse file of format 0.0 or 0.1. */
export function paxPieces(sparse: PaxSparse): { size: number; pieces: readonly number[] } {
  const size = sparse.size ?? sparse.realSize
  if (size === undefined) throw new TarFault('a sparse file without its real size')
  if (sparse.blocks !== undefined && sparse.blocks * 2 !== sparse.map.length) {
    throw new TarFault('a sparse map of another length than it says')
  }
  return { size, pieces: sparse.map }
}

/**
 * Parses the map before the content: decimal lines, the number of pieces, then offset and length of each, filled to a
 * whole block. Undefined when more blocks are needed.
 */
export function readSparseMap(blocks: Buffer): readonly number[] | undefined {
  const numbers: number[] = []
  let value = 0
  let digits = 0
  for (const byte of blocks) {
    if (byte === 0x0a) {
      if (digits === 0) throw new TarFault('a sparse map with an empty line')
      numbers.push(value)
      value = 0
      digits = 0
      const [count = 0] = numbers
      if (numbers.length === 1 + count * 2) return numbers.slice(1)
    } else {
      const digit = byte - 0x30
      value = value * 10 + digit
      digits += 1
      if (digit < 0 || digit > 9 || !Number.isSafeInteger(value)) {
        throw new TarFault('a sparse map with something that is no number')
      }
    }
  }
  return undefined
}

/** Refuses pieces that overlap, descend, leave the file, or are not what is stored. */
export function checkPieces(pieces: readonly number[], size: number, storedSize: number): void {
  if (pieces.length % 2 !== 0) throw new TarFault('a sparse map with half a piece')
  let end = 0
  let stored = 0
  for (let index = 0; index < pieces.length; index += 2) {
    const offset = pieces[index] ?? 0
    const length = pieces[index + 1] ?? 0
    if (offset < end || offset + length > size) {
      throw new TarFault('sparse pieces that overlap, descend or leave the file')
    }
    end = offset + length
    stored += length
  }
  if (stored !== storedSize) throw new TarFault('sparse pieces of another size than is stored')
}
