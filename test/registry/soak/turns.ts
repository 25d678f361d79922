/** Many may share; one alone waits for them and keeps new ones out. In the order in which they came. */
export class Turns {
  #sharing = 0
  #isAlone = false
  readonly #waiting: { readonly alone: boolean; readonly go: () => void }[] = []

  shared<T>(work: () => Promise<T>): Promise<T> {
    return this.#take(false, work)
  }

  alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#take(true, work)
  }

  async #take<T>(alone: boolean, work: () => Promise<T>): Promise<T> {
    await new Promise<void>((go) => {
      this.#waiting.push({ alone, go })
      this.#next()
    })
    try {
      return await work()
    } finally {
      if (alone) this.#isAlone = false
      else this.#sharing--
      this.#next()
    }
  }

  #next(): void {
    for (;;) {
      const [first] = this.#waiting
      if (first === undefined || this.#isAlone || (first.alone && this.#sharing > 0)) return
      this.#waiting.shift()
      if (first.alone) this.#isAlone = true
      else this.#sharing++
      first.go()
    }
  }
}
