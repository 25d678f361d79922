import { createHmac, randomBytes } from 'node:crypto'

const lifetimeMs = 10 * 60_000
const maxEntries = 10_000

/**
 * Remembers for a while which password was right for which stored hash, so that a client that sends it with every request
 * does not cost 30 ms each time. Neither is kept: only a hash of both by a key of this process.
 */
export class VerifiedPasswords {
  readonly #key = randomBytes(32)
  readonly #until = new Map<string, number>()

  has(stored: string, password: string, now: number): boolean {
    return (this.#until.get(this.#hash(stored, password)) ?? 0) > now
  }

  add(stored: string, password: string, now: number): void {
    const [oldest] = this.#until.keys()
    if (this.#until.size >= maxEntries && oldest !== undefined) this.#until.delete(oldest)
    this.#until.set(this.#hash(stored, password), now + lifetimeMs)
  }

  #hash(stored: string, password: string): string {
    return createHmac('sha256', this.#key).update(`${stored}\0${password}`).digest('base64')
  }
}
