import { createHash } from 'node:crypto'
import type { SqlValue } from '../database/database.ts'

/** What a table holds, whatever the order of its rows. */
export class Fingerprint {
  #rows = 0
  #sum = 0n

  add(values: readonly SqlValue[]): void {
    const hash = createHash('sha256')
    for (const value of values) {
      const kind = value instanceof Uint8Array ? 'bytes' : value === null ? 'null' : typeof value
      const content = value instanceof Uint8Array ? value : Buffer.from(String(value))
      // The length keeps two values apart from one that looks like both.
      hash.update(`${kind}:${content.byteLength}:`).update(content)
    }
    this.#sum += BigInt(`0x${hash.digest('hex')}`)
    this.#rows += 1
  }

  get rows(): number {
    return this.#rows
  }

  get text(): string {
    return `${this.#rows}:${BigInt.asUintN(256, this.#sum).toString(16)}`
  }
}
