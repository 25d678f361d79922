const maxEntries = 10_000

/** Remembers answers for a short time, the oldest forgotten beyond 10,000. */
export interface ShortMemory<T> {
  get(key: string): T | undefined
  set(key: string, value: T, ms: number): void
  delete(key: string): void
}

export function createShortMemory<T>(now: () => number): ShortMemory<T> {
  const entries = new Map<string, { readonly value: T; readonly until: number }>()
  return {
    get(key) {
      const entry = entries.get(key)
      if (entry === undefined) return undefined
      if (entry.until > now()) return entry.value
      entries.delete(key)
      return undefined
    },
    set(key, value, ms) {
      entries.delete(key)
      entries.set(key, { value, until: now() + ms })
      const [oldest] = entries.keys()
      if (entries.size > maxEntries && oldest !== undefined) entries.delete(oldest)
    },
    delete: (key) => void entries.delete(key),
  }
}
