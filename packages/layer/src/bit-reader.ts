/** Bits of a buffer, the most significant of each byte first. Behind the end all are 0. */
export interface BitReader {
  /** The next bits, 0 to 24, without taking them. */
  peek(count: number): number
  skip(count: number): void
  read(count: number): number
  /** Bits taken from the start of the buffer. */
  position(): number
  /** True when more was taken than there is. */
  isCut(): boolean
  alignToByte(): void
}

/** Reads `bytes` from bit `start`, 0 to 7, on. */
export function openBitReader(bytes: Uint8Array, start: number): BitReader {
  let at = 0
  /** The next bits, at the upper end. */
  let hold = 0
  let held = 0
  skip(start)

  return { peek, skip, read, position, isCut: () => position() > bytes.length * 8, alignToByte }

  function peek(count: number): number {
    while (held <= 24) {
      hold |= (bytes[at] ?? 0) << (24 - held)
      at += 1
      held += 8
    }
    return count === 0 ? 0 : hold >>> (32 - count)
  }

  function skip(count: number): void {
    if (held < count) peek(count)
    hold <<= count
    held -= count
  }

  function read(count: number): number {
    const value = peek(count)
    skip(count)
    return value
  }

  function position(): number {
    return at * 8 - held
  }

  function alignToByte(): void {
    skip((8 - (position() % 8)) % 8)
  }
}
