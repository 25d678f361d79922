import { parseDigest } from '@katman/oci'
import type { Transaction } from '../database/database.ts'
import type { Cleaner } from './cleaner.ts'
import { findRepository } from './find-repository.ts'
import { removeUnused } from './remove-unused.ts'
import type { Verdict } from './review.ts'
import type { DueReview } from './review-queue.ts'

/** A manifest goes when nothing uses it, and what it alone used goes with it. Where nothing untagged goes, it stays. */
export async function reviewManifest(
  cleaner: Cleaner,
  transaction: Transaction,
  { repository_id, digest }: DueReview,
): Promise<Verdict> {
  if (cleaner.options.untaggedMs === undefined) return {}
  const repository = await findRepository(transaction, repository_id)
  if (repository === undefined) return {}
  return { manifests: await removeUnused(cleaner, transaction, repository, parseDigest(digest)) }
}
