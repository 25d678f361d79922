import { setImmediate } from 'node:timers/promises'
import type { Database } from '../database/database.ts'
import { addUsage } from './usage.ts'

/** A counter that is not what the rows say. */
export interface Miscount {
  readonly namespace: string
  /** The content counted wrongly; null for the sum of the namespace. */
  readonly digest: string | null
  /** What is missing: holders of a content, bytes of a sum. */
  readonly missing: number
  readonly size: number
}

interface CountOptions {
  readonly signal?: AbortSignal
  /** So many contents are compared at once: other work waits for it. Default 1000. */
  readonly pageSize?: number
}

/** Compares the counters of usage with what the repositories hold, page by page. Empty when all is right. */
export async function checkCounters(
  database: Database,
  options: CountOptions = {},
): Promise<readonly Miscount[]> {
  return Array.fromAsync(miscounts(database, options))
}

/** Puts counters right while pushes go on: what is missing is added, so nobody waits. How many were wrong. */
export async function recount(database: Database, options: CountOptions = {}): Promise<number> {
  let count = 0
  for await (const { namespace, digest, missing, size } of miscounts(database, options)) {
    count += 1
    if (digest === null) {
      await database.transaction((transaction) =>
        addUsage(transaction, { namespace, shard: 0, bytes: missing }),
      )
      continue
    }
    await database.transaction(async (transaction) => {
      await transaction.run(
        `INSERT INTO namespace_content (namespace, digest, size, holders) VALUES (?, ?, ?, ?)
          ON CONFLICT (namespace, digest) DO UPDATE SET
            holders = namespace_content.holders + excluded.holders, size = excluded.size`,
        [namespace, digest, size, missing],
      )
      await transaction.run(
        'DELETE FROM namespace_content WHERE namespace = ? AND digest = ? AND holders <= 0',
        [namespace, digest],
      )
    })
  }
  return count
}

/** The sum of a namespace comes after its contents: who puts those right changes it. */
async function* miscounts(
  database: Database,
  { signal, pageSize = 1000 }: CountOptions,
): AsyncGenerator<Miscount> {
  for (let namespace = ''; ;) {
    const next = await database.get<{ readonly namespace: string | null }>(nextNamespace, [
      namespace,
      namespace,
      namespace,
    ])
    if (next === undefined || next.namespace === null) return
    namespace = next.namespace
    for (let after = ''; after !== lastDigest;) {
      // A database in this process answers at once: clients have their turn between two pages.
      await setImmediate(undefined, { signal })
      const end = await database.get<{ readonly digest: string }>(pageEnd, [
        namespace,
        after,
        pageSize - 1,
      ])
      const upTo = end?.digest ?? lastDigest
      const page = [namespace, after, upTo]
      yield* await database.all<Miscount>(contentMiscounts, [...page, ...page, ...page])
      after = upTo
    }
    const sum = await database.get<{ readonly missing: number }>(sumMiscount, [
      namespace,
      namespace,
    ])
    const missing = sum?.missing ?? 0
    if (missing !== 0) yield { namespace, digest: null, missing, size: 0 }
  }
}

/** After every digest: `~` is after all that a digest may begin with. */
const lastDigest = '~'

const nextNamespace = `SELECT MIN(namespace) AS namespace FROM (
    SELECT MIN(namespace) AS namespace FROM repositories WHERE namespace > ?
    UNION ALL
    SELECT MIN(namespace) AS namespace FROM namespace_content WHERE namespace > ?
    UNION ALL
    SELECT MIN(namespace) AS namespace FROM namespace_usage WHERE namespace > ?
  ) next_of_each`

const pageEnd =
  'SELECT digest FROM namespace_content WHERE namespace = ? AND digest > ? ORDER BY digest LIMIT 1 OFFSET ?'

const truth = `SELECT namespace, digest, MAX(size) AS size, COUNT(*) AS holders FROM (
    SELECT r.namespace, l.digest, b.size FROM repository_blobs l
      JOIN repositories r ON r.id = l.repository_id JOIN blobs b ON b.digest = l.digest
      WHERE r.namespace = ? AND l.digest > ? AND l.digest <= ?
    UNION ALL
    SELECT r.namespace, m.digest, m.size FROM manifests m JOIN repositories r ON r.id = m.repository_id
      WHERE r.namespace = ? AND m.digest > ? AND m.digest <= ?
  ) held GROUP BY namespace, digest`

const contentMiscounts = `WITH truth AS (${truth})
  SELECT t.namespace, t.digest, t.size, t.holders - COALESCE(c.holders, 0) AS missing
    FROM truth t LEFT JOIN namespace_content c ON c.namespace = t.namespace AND c.digest = t.digest
    WHERE c.holders IS NULL OR c.holders <> t.holders
  UNION ALL
  SELECT c.namespace, c.digest, c.size, -c.holders AS missing
    FROM namespace_content c LEFT JOIN truth t ON t.namespace = c.namespace AND t.digest = c.digest
    WHERE t.digest IS NULL AND c.namespace = ? AND c.digest > ? AND c.digest <= ?`

const sumMiscount = `SELECT CAST(
    (SELECT COALESCE(SUM(size), 0) FROM namespace_content WHERE namespace = ?)
    - (SELECT COALESCE(SUM(bytes), 0) FROM namespace_usage WHERE namespace = ?) AS BIGINT) AS missing`
