/** Runs at most `count` jobs at once; the others wait in order. */
export function limit(count: number): <T>(job: () => Promise<T>) => Promise<T> {
  let running = 0
  const waiting: (() => void)[] = []
  return async (job) => {
    if (running < count) running++
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await job()
    } finally {
      // The slot is handed over, never free in between: a newcomer could take it, and then both would run.
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }
}
