import { tooMany } from './too-many.ts'

interface TurnstileOptions {
  /** How many go through together. */
  readonly concurrency: number
  /** How many may wait for their turn. */
  readonly queue: number
}

/** Lets work through, a few at a time. @throws Refusal 429 with `Retry-After` when too many wait. */
export class Turnstile {
  readonly #options: TurnstileOptions
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(options: TurnstileOptions) {
    this.#options = options
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#options.concurrency) {
      if (this.#waiting.length >= this.#options.queue) throw tooMany(1)
      // Whoever leaves hands its place over, so that nobody slips in between.
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve)
      })
    } else {
      this.#running += 1
    }
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#running -= 1
      else next()
    }
  }
}
