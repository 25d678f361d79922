import { decodeName } from './tar-name.ts'

/** Reads what a ByteWriter wrote. Throws RangeError for what it cannot have written. */
export class ByteReader {
  readonly #bytes: Buffer
  #at: number

  constructor(bytes: Buffer, start: number) {
    this.#bytes = bytes
    this.#at = start
  }

  atEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  byte(): number {
    const value = this.#bytes[this.#at]
    if (value === undefined) throw new RangeError('the bytes end too early')
    this.#at += 1
    return value
  }

  number(): number {
    let value = 0
    let scale = 1
    for (;;) {
      const byte = this.byte()
      value += (byte % 128) * scale
      if (byte < 128) break
      scale *= 128
    }
    if (!Number.isSafeInteger(value)) throw new RangeError('a number is too large')
    return value
  }

  signed(): number {
    const value = this.number()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  /** A number of things of which each takes at least a byte. */
  count(): number {
    const value = this.number()
    if (value > this.#bytes.length - this.#at) throw new RangeError('a count is too large')
    return value
  }

  bytes(length: number): Buffer {
    const end = this.#at + length
    if (end > this.#bytes.length) throw new RangeError('the bytes end too early')
    const value = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return value
  }

  text(): string {
    const length = this.count()
    const start = this.#at
    this.#at += length
    return decodeName(this.#bytes, start, this.#at)
  }

  /** A name that begins with a part of the last one, which `last` holds and is changed to this one. */
  nameAfter(last: { readonly bytes: Buffer; length: number }): string {
    const shared = this.number()
    const rest = this.count()
    if (shared > last.length || shared + rest > last.bytes.length) {
      throw new RangeError('a name is too long')
    }
    this.#bytes.copy(last.bytes, shared, this.#at, this.#at + rest)
    this.#at += rest
    last.length = shared + rest
    return decodeName(last.bytes, 0, last.length)
  }
}
