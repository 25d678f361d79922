import { KatmanError } from '@katman/oci'

/** Runs at most `count` jobs at once; the others wait in order. Throws `CONCURRENCY_INVALID`. */
export function limit(count: number): <T>(job: () => Promise<T>) => Promise<T> {
  if (!Number.isInteger(count) || count < 1) {
    throw new KatmanError(
      'CONCURRENCY_INVALID',
      `${count} jobs at the same time make no progress`,
      {
        hint: 'give a whole number of at least 1',
        details: { concurrency: count },
      },
    )
  }
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
