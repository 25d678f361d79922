import type { Bytes } from '@katman/oci'

type Next = IteratorResult<Uint8Array, unknown> | typeof late
const late = Symbol('late')

/** The body of a request, taken in parts: so much, or what arrives in so long a time. */
export class IncomingBody {
  readonly #iterator: AsyncIterator<Uint8Array, unknown>
  #pending: Promise<IteratorResult<Uint8Array, unknown>> | undefined
  /** Taken from the iterator, to be given first. */
  #left: Uint8Array | undefined
  /** Ends the wait for the next chunk. */
  #wake: (() => void) | undefined
  #isDone = false
  #received = 0

  constructor(body: Bytes) {
    this.#iterator = body[Symbol.asyncIterator]()
  }

  /** Whether all of it was given. */
  get isDone(): boolean {
    return this.#isDone
  }

  /** How many bytes have come. */
  get received(): number {
    return this.#received
  }

  /** What arrives within `ms`, at most about `maxBytes`. Throws when the body fails. */
  async *part(maxBytes: number, ms: number): Bytes {
    let size = 0
    let isLate = false
    const timeout = setTimeout(() => {
      isLate = true
      this.#wake?.()
    }, ms)
    try {
      while (size < maxBytes && !isLate) {
        const chunk = await this.#take()
        if (chunk === undefined) return
        size += chunk.byteLength
        yield chunk
      }
    } finally {
      clearTimeout(timeout)
    }
  }

  /**
   * The bytes when they end within `maxBytes` and `ms`; otherwise undefined, and `part` begins with them. When the
   * body fails they are in `arrived`.
   */
  async whole(
    maxBytes: number,
    ms: number,
  ): Promise<{ readonly arrived: Uint8Array; readonly failure?: unknown } | undefined> {
    const chunks: Uint8Array[] = []
    let size = 0
    try {
      for await (const chunk of this.part(maxBytes + 1, ms)) {
        chunks.push(chunk)
        size += chunk.byteLength
      }
    } catch (failure) {
      return { arrived: Buffer.concat(chunks), failure }
    }
    const arrived = Buffer.concat(chunks)
    if (this.#isDone && size <= maxBytes) return { arrived }
    this.#left = arrived
    return undefined
  }

  async #take(): Promise<Uint8Array | undefined> {
    const left = this.#left
    if (left !== undefined) {
      this.#left = undefined
      if (left.byteLength > 0) return left
    }
    if (this.#isDone) return undefined
    const pending = (this.#pending ??= this.#iterator.next())
    // No race with one promise for the whole part: it would hold every chunk until it settles.
    const next = await new Promise<Next>((resolve, reject) => {
      this.#wake = () => resolve(late)
      pending.then(resolve, reject)
    })
    if (next === late) return undefined
    this.#pending = undefined
    if (next.done === true) {
      this.#isDone = true
      return undefined
    }
    this.#received += next.value.byteLength
    return next.value
  }
}
