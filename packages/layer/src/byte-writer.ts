import { KatmanError } from '@katman/oci'
import { encodeName } from './tar-name.ts'

const maxBytes = 2 ** 30

/** A growing buffer of bytes, LEB128 numbers and texts. Throws `LAYER_INDEX_TOO_LARGE` beyond 1 GiB. */
export class ByteWriter {
  #buffer = Buffer.from(new ArrayBuffer(64 * 1024))
  #length = 0

  byte(value: number): void {
    this.#reserve(1)
    this.#buffer[this.#length] = value
    this.#length += 1
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length)
    this.#buffer.set(value, this.#length)
    this.#length += value.length
  }

  /** A whole number from 0 to 2^53 - 1. */
  number(value: number): void {
    this.#reserve(8)
    let rest = value
    while (rest >= 128) {
      this.#buffer[this.#length] = (rest % 128) + 128
      this.#length += 1
      rest = Math.floor(rest / 128)
    }
    this.#buffer[this.#length] = rest
    this.#length += 1
  }

  /** A whole number from -2^52 to 2^52 - 1. */
  signed(value: number): void {
    this.number(value < 0 ? value * -2 - 1 : value * 2)
  }

  text(value: string): void {
    const bytes = encodeName(value)
    this.number(bytes.length)
    this.bytes(bytes)
  }

  /** A view of what was written so far. */
  written(): Uint8Array {
    return this.#buffer.subarray(0, this.#length)
  }

  /** A copy of what was written, in memory of its own that may be transferred. */
  finish(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.written())
  }

  #reserve(count: number): void {
    const needed = this.#length + count
    if (needed <= this.#buffer.length) return
    if (needed > maxBytes) {
      throw new KatmanError('LAYER_INDEX_TOO_LARGE', `layer index: more than ${maxBytes} bytes`, {
        hint: 'no real layer has this many entries; do not trust where it comes from',
        details: { maxBytes },
      })
    }
    const grown = Buffer.from(
      new ArrayBuffer(Math.min(maxBytes, Math.max(needed, this.#buffer.length * 2))),
    )
    grown.set(this.written())
    this.#buffer = grown
  }
}
