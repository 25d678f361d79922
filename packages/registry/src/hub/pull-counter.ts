import { isIndexType } from '@katman/oci'
import type { Pull } from '../change.ts'
import type { Database } from '../database/database.ts'

/** Counts pulls in memory and adds them to the database together; several replicas add up. */
export interface PullCounter {
  /** Never throws, never waits. */
  record(pull: Pull): void
  /** Writes what was counted since. */
  flush(): Promise<void>
  /** Writes the rest; counts no more. */
  close(): Promise<void>
}

interface PullCounterOptions {
  /** Is told why counts could not be written; they are kept for the next time. */
  readonly onFailure: (error: unknown) => void
  /** Default 1 s. */
  readonly flushMs?: number
}

interface Count {
  readonly repositoryId: number
  /** A tag, a digest, or '' for the repository. */
  readonly target: string
  count: number
  lastAt: number
}

/** So many things are counted before they are written early; ten times as many are not counted when nothing can be written. */
const manyCounts = 10_000

/**
 * A pull is one `GET` of the manifest of an image: of an image for several platforms a client fetches the index and then one of
 * them. A tag counts as used by a `HEAD` as well, because clients resolve it so and then ask by digest.
 */
export function createPullCounter(
  database: Database,
  { onFailure, flushMs = 1000 }: PullCounterOptions,
): PullCounter {
  let counts = new Map<string, Count>()
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<void> = Promise.resolve()
  let isClosed = false

  function add(repositoryId: number, target: string, count: number, at: number): void {
    const key = `${repositoryId} ${target}`
    const known = counts.get(key)
    if (known !== undefined) {
      known.count += count
      if (at > known.lastAt) known.lastAt = at
    } else if (counts.size < manyCounts * 10) {
      counts.set(key, { repositoryId, target, count, lastAt: at })
    }
  }

  function flush(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    writing = writing.then(write)
    return writing
  }

  async function write(): Promise<void> {
    if (counts.size === 0) return
    const taken = counts
    counts = new Map()
    // In one order everywhere: two replicas never wait for each other crosswise.
    const sorted = [...taken].toSorted(([left], [right]) => (left < right ? -1 : 1))
    try {
      await database.transaction(
        async (transaction) => {
          for (const [, { repositoryId, target, count, lastAt }] of sorted)
            await transaction.run(addPulls, [repositoryId, target, count, lastAt])
        },
        { isDurable: false },
      )
    } catch (error) {
      for (const { repositoryId, target, count, lastAt } of taken.values())
        add(repositoryId, target, count, lastAt)
      if (!isClosed) schedule()
      onFailure(error)
    }
  }

  function schedule(): void {
    timer ??= setTimeout(() => void flush(), flushMs).unref()
  }

  return {
    record({ repository, digest, tag, method, mediaType, at }) {
      if (isClosed) return
      const isGet = method === 'GET'
      if (isGet) add(repository.id, digest, 1, at)
      if (isGet && !isIndexType(mediaType)) add(repository.id, '', 1, at)
      if (tag !== undefined) add(repository.id, tag, isGet ? 1 : 0, at)
      if (counts.size >= manyCounts && counts.size % manyCounts === 0) void flush()
      else schedule()
    },
    flush,
    async close() {
      isClosed = true
      await flush()
    },
  }
}

const addPulls = `INSERT INTO pulls (repository_id, target, count, last_at) VALUES (?, ?, ?, ?)
  ON CONFLICT (repository_id, target) DO UPDATE SET
    count = pulls.count + excluded.count,
    last_at = CASE WHEN pulls.last_at > excluded.last_at THEN pulls.last_at ELSE excluded.last_at END`
