import { compressionInvalid } from './compression-error.ts'
import { createLzmaWindow, type LzmaWindow } from './lzma-window.ts'

/** The LZMA decoder inside LZMA2. Its state goes on from one chunk to the next until it is reset. */
export interface LzmaDecoder {
  resetDictionary(): void
  resetState(): void
  /** Takes lc, lp and pb from their byte. */
  setProperties(properties: number): void
  /** Unpacks a chunk to exactly `size` bytes. */
  decode(packed: Uint8Array, size: number): readonly Uint8Array[]
  /** Takes bytes that are not packed. */
  copy(bytes: Uint8Array): readonly Uint8Array[]
}

// Where each kind of probability lies in the one table (lzma-specification.txt).
const states = 12
const isMatch = 0
const isRep = isMatch + states * 16
const isRep0 = isRep + states
const isRep1 = isRep0 + states
const isRep2 = isRep1 + states
const isRep0Long = isRep2 + states
const slots = isRep0Long + states * 16
const specialDistances = slots + 4 * 64
const alignedDistances = specialDistances + 115
const matchLength = alignedDistances + 16
const lengthSize = 2 + 16 * 8 * 2 + 256
const repLength = matchLength + lengthSize
const literals = repLength + lengthSize
const literalSize = 0x300
const tableSize = literals + literalSize * 16

const initialProbability = 1024

/** Opens a decoder whose matches reach at most `dictionaryBytes` back. Errors are `LAYER_COMPRESSION_INVALID`. */
export function createLzmaDecoder(dictionaryBytes: number): LzmaDecoder {
  const window = createLzmaWindow(dictionaryBytes)
  const table = new Uint16Array(tableSize)
  let lc = 0
  let lpMask = 0
  let pbMask = 0
  let state = 0
  let rep0 = 0
  let rep1 = 0
  let rep2 = 0
  let rep3 = 0
  // The range coder.
  let input: Uint8Array = new Uint8Array(0)
  let at = 0
  let range = 0
  let code = 0

  return {
    resetDictionary: () => window.reset(),
    resetState() {
      table.fill(initialProbability)
      state = rep0 = rep1 = rep2 = rep3 = 0
    },
    setProperties(properties) {
      if (properties >= 9 * 5 * 5) throw damaged('impossible properties')
      lc = properties % 9
      const rest = Math.floor(properties / 9)
      const lp = rest % 5
      if (lc + lp > 4) throw damaged('impossible properties')
      lpMask = (1 << lp) - 1
      pbMask = (1 << Math.floor(rest / 5)) - 1
    },
    copy(bytes) {
      window.begin(bytes.length)
      for (const byte of bytes) window.put(byte)
      return window.taken()
    },
    decode(packed, size) {
      startRange(packed)
      window.begin(size)
      let left = size
      while (left > 0) {
        const length = symbol(window)
        if (length > left) throw damaged('a match beyond the end of its chunk')
        if (length > 1) window.repeat(rep0, length)
        left -= length
      }
      normalize()
      if (code !== 0 || at !== input.length) throw damaged('a chunk of another size')
      return window.taken()
    },
  }

  /** Puts one byte and gives 1, or gives the length of a match at distance `rep0`. */
  function symbol(into: LzmaWindow): number {
    const posState = into.position & pbMask
    if (bit(isMatch + state * 16 + posState) === 0) {
      into.put(literal(into))
      state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6
      return 1
    }
    let length: number
    if (bit(isRep + state) === 0) {
      rep3 = rep2
      rep2 = rep1
      rep1 = rep0
      length = lengthOf(matchLength, posState)
      state = state < 7 ? 7 : 10
      rep0 = distance(length)
    } else {
      if (bit(isRep0 + state) === 0) {
        if (bit(isRep0Long + state * 16 + posState) === 0) {
          state = state < 7 ? 9 : 11
          checkDistance(into)
          into.put(into.back(rep0))
          return 1
        }
      } else {
        let chosen = rep1
        if (bit(isRep1 + state) === 1) {
          if (bit(isRep2 + state) === 0) chosen = rep2
          else {
            chosen = rep3
            rep3 = rep2
          }
          rep2 = rep1
        }
        rep1 = rep0
        rep0 = chosen
      }
      length = lengthOf(repLength, posState)
      state = state < 7 ? 8 : 11
    }
    checkDistance(into)
    return length + 2
  }

  function checkDistance(into: LzmaWindow): void {
    if (rep0 >= into.reach) throw damaged('a match before the start of the data')
  }

  function literal(from: LzmaWindow): number {
    const before = from.reach === 0 ? 0 : from.back(0)
    const context = ((from.position & lpMask) << lc) + (before >> (8 - lc))
    const base = literals + literalSize * context
    let value = 1
    if (state >= 7) {
      // The byte where the last match would go on is probably not this one.
      checkDistance(from)
      let match = from.back(rep0)
      let offset = 0x100
      do {
        match <<= 1
        const matchBit = match & offset
        if (bit(base + offset + matchBit + value) === 1) {
          value = (value << 1) | 1
          offset &= matchBit
        } else {
          value <<= 1
          offset &= ~matchBit
        }
      } while (value < 0x100)
      return value & 0xff
    }
    do value = (value << 1) | bit(base + value)
    while (value < 0x100)
    return value & 0xff
  }

  function lengthOf(base: number, posState: number): number {
    if (bit(base) === 0) return tree(base + 2 + posState * 8, 3)
    if (bit(base + 1) === 0) return 8 + tree(base + 2 + 128 + posState * 8, 3)
    return 16 + tree(base + 2 + 256, 8)
  }

  function distance(length: number): number {
    const slot = tree(slots + Math.min(length, 3) * 64, 6)
    if (slot < 4) return slot
    const bits = (slot >> 1) - 1
    const high = (2 | (slot & 1)) * 2 ** bits
    if (slot < 14) return high + reverseTree(specialDistances + high - slot, bits)
    return high + direct(bits - 4) * 16 + reverseTree(alignedDistances, 4)
  }

  function tree(base: number, bits: number): number {
    let value = 1
    for (let left = bits; left > 0; left -= 1) value = (value << 1) | bit(base + value)
    return value - (1 << bits)
  }

  function reverseTree(base: number, bits: number): number {
    let value = 1
    let result = 0
    for (let shift = 0; shift < bits; shift += 1) {
      const next = bit(base + value)
      value = (value << 1) | next
      result |= next << shift
    }
    return result
  }

  function startRange(packed: Uint8Array): void {
    input = packed
    if (packed.length < 5 || packed[0] !== 0) throw damaged('a chunk that does not start')
    range = 0xffffffff
    code = 0
    for (at = 1; at < 5; at += 1) code = ((code << 8) | (packed[at] ?? 0)) >>> 0
  }

  function normalize(): void {
    if (range >= 0x1000000) return
    range = (range << 8) >>> 0
    // Bytes behind the end count as 0; the chunk is refused when it is done.
    code = ((code << 8) | (input[at] ?? 0)) >>> 0
    at += 1
  }

  function bit(index: number): 0 | 1 {
    normalize()
    const probability = table[index] ?? 0
    const bound = (range >>> 11) * probability
    if (code < bound) {
      range = bound
      table[index] = probability + ((2048 - probability) >> 5)
      return 0
    }
    range -= bound
    code -= bound
    table[index] = probability - (probability >> 5)
    return 1
  }

  function direct(bits: number): number {
    let result = 0
    for (let left = bits; left > 0; left -= 1) {
      normalize()
      range >>>= 1
      result <<= 1
      if (code >= range) {
        code -= range
        result |= 1
      }
    }
    return result
  }
}

function damaged(reason: string): Error {
  return compressionInvalid(`xz: ${reason}`)
}
