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

/** Compares the counters of usage with what the repositories hold, as of one moment. Empty when all is right. */
export async function checkCounters(database: Database): Promise<readonly Miscount[]> {
  return [
    ...(await database.all<Miscount>(contentMiscounts)),
    ...(await database.all<Miscount>(sumMiscounts)),
  ]
}

/** Puts counters right while pushes go on: what is missing is added, so nobody waits. How many were wrong. */
export async function recount(database: Database): Promise<number> {
  const wrong = await database.all<Miscount>(contentMiscounts)
  for (const { namespace, digest, missing, size } of wrong) {
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
  const sums = await database.all<Miscount>(sumMiscounts)
  for (const { namespace, missing: bytes } of sums) {
    await database.transaction((transaction) =>
      addUsage(transaction, { namespace, shard: 0, bytes }),
    )
  }
  return wrong.length + sums.length
}

const truth = `SELECT namespace, digest, MAX(size) AS size, COUNT(*) AS holders FROM (
    SELECT r.namespace, l.digest, b.size FROM repository_blobs l
      JOIN repositories r ON r.id = l.repository_id JOIN blobs b ON b.digest = l.digest
    UNION ALL
    SELECT r.namespace, m.digest, m.size FROM manifests m JOIN repositories r ON r.id = m.repository_id
  ) held GROUP BY namespace, digest`

const contentMiscounts = `WITH truth AS (${truth})
  SELECT t.namespace, t.digest, t.size, t.holders - COALESCE(c.holders, 0) AS missing
    FROM truth t LEFT JOIN namespace_content c ON c.namespace = t.namespace AND c.digest = t.digest
    WHERE c.holders IS NULL OR c.holders <> t.holders
  UNION ALL
  SELECT c.namespace, c.digest, c.size, -c.holders AS missing
    FROM namespace_content c LEFT JOIN truth t ON t.namespace = c.namespace AND t.digest = c.digest
    WHERE t.digest IS NULL`

const sumMiscounts = `SELECT n.namespace, NULL AS digest, 0 AS size, CAST(n.held - n.counted AS BIGINT) AS missing FROM (
    SELECT namespace, SUM(held) AS held, SUM(counted) AS counted FROM (
      SELECT namespace, size AS held, 0 AS counted FROM namespace_content
      UNION ALL
      SELECT namespace, 0 AS held, bytes AS counted FROM namespace_usage
    ) both_sides GROUP BY namespace
  ) n WHERE n.held <> n.counted`
