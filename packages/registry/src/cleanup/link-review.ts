import { parseDigest } from '@katman/oci'
import type { Transaction } from '../database/database.ts'
import { type Cleaner, lockClause } from './cleaner.ts'
import { findRepository } from './find-repository.ts'
import type { Verdict } from './review.ts'
import type { DueReview } from './review-queue.ts'

/** A repository lets go of a blob when no manifest of it names it, none that can be brought back either, and its lease is over. */
export async function reviewLink(
  cleaner: Cleaner,
  transaction: Transaction,
  { repository_id, digest }: DueReview,
): Promise<Verdict> {
  const now = cleaner.now()
  const key = [repository_id, digest]
  // A push that takes the blob into a manifest holds or changes this row: it is first, or it finds nothing.
  const link = await transaction.get<{ readonly lease_until: number }>(
    `SELECT lease_until FROM repository_blobs WHERE repository_id = ? AND digest = ?${lockClause(transaction.engine)}`,
    key,
  )
  if (link === undefined) return {}
  if ((await transaction.get(user, [...key, ...key])) !== undefined) return {}
  if (link.lease_until > now) return { again: link.lease_until }
  const blob = await transaction.get<{ readonly size: number }>(
    'SELECT size FROM blobs WHERE digest = ?',
    [digest],
  )
  await transaction.run('DELETE FROM repository_blobs WHERE repository_id = ? AND digest = ?', key)
  const repository = await findRepository(transaction, repository_id)
  if (repository !== undefined) {
    await cleaner.tell(transaction, {
      kind: 'blob-unlinked',
      repository,
      actor: undefined,
      at: now,
      digest: parseDigest(digest),
      size: blob?.size ?? 0,
    })
  }
  return { links: 1 }
}

const user = `SELECT 1 AS one FROM manifest_blobs WHERE repository_id = ? AND digest = ?
  UNION ALL
  SELECT 1 AS one FROM deleted_manifest_blobs WHERE repository_id = ? AND digest = ?
  LIMIT 1`
