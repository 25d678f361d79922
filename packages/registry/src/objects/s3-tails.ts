/** So much is kept of the last ends of uploads. */
const atMostBytes = 16 * 1024 * 1024

/**
 * The ends of uploads that this process stored last: whoever finishes a small blob need not fetch what it sent a moment
 * ago. Only a short cut: they are in the bucket, too.
 */
export class RecentTails {
  readonly #tails = new Map<string, Uint8Array>()
  #size = 0

  get(name: string): Uint8Array | undefined {
    return this.#tails.get(name)
  }

  add(name: string, bytes: Uint8Array): void {
    this.#tails.set(name, bytes)
    this.#size += bytes.byteLength
    for (const old of this.#tails.keys()) {
      if (this.#size <= atMostBytes) return
      this.forget(old)
    }
  }

  forget(name: string): void {
    this.#size -= this.#tails.get(name)?.byteLength ?? 0
    this.#tails.delete(name)
  }
}
