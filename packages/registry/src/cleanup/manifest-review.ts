import { parseDigest } from '@katman/oci'
import type { Repository } from '../change.ts'
import type { Transaction } from '../database/database.ts'
import { type Cleaner, lockClause } from './cleaner.ts'
import { findRepository } from './find-repository.ts'
import type { Verdict } from './review.ts'
import type { DueReview } from './review-queue.ts'

/**
 * A manifest goes when it has no tag, no index names it, and it refers to nothing that is there: signatures live as long as
 * what they sign. Where nothing untagged goes, it stays.
 */
export async function reviewManifest(
  cleaner: Cleaner,
  transaction: Transaction,
  { repository_id, digest }: DueReview,
): Promise<Verdict> {
  const { untaggedMs, areReferrersRemoved } = cleaner.options
  if (untaggedMs === undefined) return {}
  // Whoever tags it or names it in an index holds or changes this row: they are first, or they find nothing.
  const manifest = await transaction.get<{ readonly subject: string | null }>(
    `SELECT subject FROM manifests WHERE repository_id = ? AND digest = ?${lockClause(transaction.engine)}`,
    [repository_id, digest],
  )
  if (manifest === undefined) return {}
  const key = [repository_id, digest]
  if ((await transaction.get(user, [...key, ...key])) !== undefined) return {}
  if (manifest.subject !== null) {
    if (!areReferrersRemoved) return {}
    const subject = await transaction.get(
      'SELECT 1 AS one FROM manifests WHERE repository_id = ? AND digest = ?',
      [repository_id, manifest.subject],
    )
    // When the subject goes, this is looked at again.
    if (subject !== undefined) return {}
  }
  const repository = await findRepository(transaction, repository_id)
  if (repository === undefined) return {}
  await removeManifest(cleaner, transaction, repository, digest)
  return { removed: 'manifest' }
}

/** Takes a manifest out of its repository; its tags must be gone. */
async function removeManifest(
  cleaner: Cleaner,
  transaction: Transaction,
  repository: Repository,
  digest: string,
): Promise<void> {
  const key = [repository.id, digest]
  await transaction.run('DELETE FROM manifest_blobs WHERE repository_id = ? AND manifest = ?', key)
  await transaction.run('DELETE FROM manifest_children WHERE repository_id = ? AND parent = ?', key)
  const [removed] = await transaction.all<RemovedManifest>(
    'DELETE FROM manifests WHERE repository_id = ? AND digest = ? RETURNING media_type, size, bytes',
    key,
  )
  if (removed === undefined) return
  await cleaner.tell(transaction, {
    kind: 'manifest-deleted',
    repository,
    actor: undefined,
    at: cleaner.now(),
    digest: parseDigest(digest),
    mediaType: removed.media_type,
    size: removed.size,
    bytes: removed.bytes,
  })
}

interface RemovedManifest {
  readonly media_type: string
  readonly size: number
  readonly bytes: Uint8Array
}

const user = `SELECT 1 AS one FROM tags WHERE repository_id = ? AND digest = ?
  UNION ALL
  SELECT 1 AS one FROM manifest_children WHERE repository_id = ? AND child = ?
  LIMIT 1`
