import type { Database } from '../database/database.ts'

/** Tells how long each transaction took, with its wait for other writers and for the disk. */
export function observeTransactions(
  database: Database,
  observe: (seconds: number) => void,
): Database {
  const timed = async <T>(work: Promise<T>): Promise<T> => {
    const startedAt = performance.now()
    try {
      return await work
    } finally {
      observe((performance.now() - startedAt) / 1000)
    }
  }
  return {
    engine: database.engine,
    all: (sql, values) => database.all(sql, values),
    get: (sql, values) => database.get(sql, values),
    run: (sql, values) => timed(database.run(sql, values)),
    transaction: (work, options) => timed(database.transaction(work, options)),
    async check() {
      await database.check?.()
    },
    close: () => database.close(),
    [Symbol.asyncDispose]: () => database.close(),
  }
}
