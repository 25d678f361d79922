import type { Database } from '../database/database.ts'

/** How much each subject used in the window of time that runs, over all replicas. */
export interface PullQuota {
  readonly windowSeconds: number
  /** Adds to what a subject used. How much that is now. */
  use(subject: string, count: number): Promise<number>
  /** Until the next window. */
  secondsLeft(): number
  /** Writes what was used here, and reads what was used elsewhere. */
  flush(): Promise<void>
  close(): Promise<void>
}

interface PullQuotaOptions {
  readonly windowSeconds: number
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Is told why nothing could be written; it is kept for the next time. */
  readonly onFailure: (error: unknown) => void
  /** Default 1 s. */
  readonly flushMs?: number
}

interface Use {
  /** What the database knew last. */
  known: number
  /** What it does not know yet. */
  added: number
}

/** So many subjects are in memory; with more, those that used nothing since the last flush are read again. */
const maxSubjects = 100_000

/**
 * Counts in memory and adds to the database every second: between two flushes replicas do not know of each other, so a subject that
 * pulls from several at once gets a second's worth more.
 */
export function createPullQuota(
  database: Database,
  { windowSeconds, now, onFailure, flushMs = 1000 }: PullQuotaOptions,
): PullQuota {
  const windowMs = windowSeconds * 1000
  let windowStart = 0
  let uses = new Map<string, Promise<Use>>()
  let dirty = new Map<string, Use>()
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<void> = Promise.resolve()

  function turn(): void {
    const start = Math.floor(now() / windowMs) * windowMs
    if (start === windowStart) return
    windowStart = start
    uses = new Map()
    dirty = new Map()
  }

  async function read(subject: string): Promise<Use> {
    const row = await database.get<{ readonly count: number }>(
      'SELECT count FROM pull_limits WHERE subject = ? AND window_start = ?',
      [subject, windowStart],
    )
    return { known: row?.count ?? 0, added: 0 }
  }

  async function find(subject: string): Promise<Use> {
    const found = uses.get(subject)
    if (found !== undefined) return found
    if (uses.size >= maxSubjects) await makeRoom()
    const reading = read(subject)
    uses.set(subject, reading)
    reading.catch(() => uses.delete(subject))
    return reading
  }

  async function makeRoom(): Promise<void> {
    await flush()
    for (const subject of uses.keys()) if (!dirty.has(subject)) uses.delete(subject)
  }

  function flush(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    writing = writing.then(write)
    return writing
  }

  async function write(): Promise<void> {
    const start = windowStart
    const taken = [...dirty].toSorted(([left], [right]) => (left < right ? -1 : 1))
    if (taken.length === 0) return
    dirty = new Map()
    const amounts = taken.map(([, use]) => use.added)
    try {
      const counts = await database.transaction(
        async (transaction) => {
          const found: number[] = []
          for (const [index, [subject]] of taken.entries()) {
            const row = await transaction.get<{ readonly count: number }>(addUse, [
              subject,
              start,
              amounts[index] ?? 0,
            ])
            found.push(row?.count ?? 0)
          }
          return found
        },
        { isDurable: false },
      )
      for (const [index, [, use]] of taken.entries()) {
        use.added -= amounts[index] ?? 0
        use.known = counts[index] ?? 0
      }
    } catch (error) {
      if (start === windowStart) for (const [subject, use] of taken) dirty.set(subject, use)
      onFailure(error)
    }
  }

  return {
    windowSeconds,
    async use(subject, count) {
      turn()
      const use = await find(subject)
      use.added += count
      if (count !== 0) {
        dirty.set(subject, use)
        timer ??= setTimeout(() => void flush(), flushMs).unref()
      }
      return use.known + use.added
    },
    secondsLeft: () => Math.ceil((windowStart + windowMs - now()) / 1000),
    flush,
    close: flush,
  }
}

const addUse = `INSERT INTO pull_limits (subject, window_start, count) VALUES (?, ?, ?)
  ON CONFLICT (subject, window_start) DO UPDATE SET count = pull_limits.count + excluded.count
  RETURNING count`
