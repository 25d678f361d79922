/** Work for which everybody who asks at the same time waits together. */
export interface SharedWork<T> {
  /** Begins the work of this key, or joins the one under way. */
  run(key: string, work: () => Promise<T>): Promise<T>
}

/** One upstream request for any number of clients of this process. */
export function createSharedWork<T>(): SharedWork<T> {
  const running = new Map<string, Promise<T>>()
  return {
    run(key, work) {
      const known = running.get(key)
      if (known !== undefined) return known
      const begun = work().finally(() => running.delete(key))
      running.set(key, begun)
      return begun
    },
  }
}
