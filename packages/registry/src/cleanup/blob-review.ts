import type { Transaction } from '../database/database.ts'
import { type Cleaner, lockClause } from './cleaner.ts'
import type { Verdict } from './review.ts'
import type { DueReview } from './review-queue.ts'

/**
 * A blob that no repository holds is condemned first. Whoever uploads it meanwhile brings it back; when nobody did, its
 * row goes, and its object is queued for deletion with it.
 */
export async function reviewBlob(
  cleaner: Cleaner,
  transaction: Transaction,
  { digest }: DueReview,
): Promise<Verdict> {
  const now = cleaner.now()
  const { condemnedMs } = cleaner.options
  const blob = await transaction.get<BlobRow>(
    `SELECT state, size, object_key, condemned_at FROM blobs WHERE digest = ?${lockClause(transaction.engine)}`,
    [digest],
  )
  if (blob === undefined) return {}
  // After the lock: a link that was made meanwhile is seen.
  const link = await transaction.get(
    'SELECT 1 AS one FROM repository_blobs WHERE digest = ? LIMIT 1',
    [digest],
  )
  if (link !== undefined) return {}
  if (blob.state === 'live') {
    await transaction.run(
      "UPDATE blobs SET state = 'condemned', condemned_at = ? WHERE digest = ?",
      [now, digest],
    )
    return { again: now + condemnedMs }
  }
  const endsAt = (blob.condemned_at ?? 0) + condemnedMs
  // Damaged bytes are no use to anybody.
  if (blob.state === 'condemned' && endsAt > now) return { again: endsAt }
  await transaction.run('DELETE FROM blobs WHERE digest = ?', [digest])
  await transaction.run('DELETE FROM damaged_blobs WHERE digest = ?', [digest])
  if (blob.object_key !== null) await queueDeletion(transaction, blob.object_key, now)
  return { blobs: 1, freedBytes: blob.size }
}

/** In the transaction that drops the last row naming the object. */
export async function queueDeletion(
  transaction: Transaction,
  objectKey: string,
  now: number,
): Promise<void> {
  await transaction.run(
    'INSERT INTO object_deletions (object_key, queued_at) VALUES (?, ?) ON CONFLICT (object_key) DO NOTHING',
    [objectKey, now],
  )
}

interface BlobRow {
  readonly state: 'live' | 'condemned' | 'quarantined'
  readonly size: number
  readonly object_key: string | null
  readonly condemned_at: number | null
}
