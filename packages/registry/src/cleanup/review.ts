import { isKatmanError } from '@katman/oci'
import { reviewBlob } from './blob-review.ts'
import type { Cleaner } from './cleaner.ts'
import { reviewLink } from './link-review.ts'
import { enqueueReview } from '../metadata/reviews.ts'
import { reviewManifest } from './manifest-review.ts'
import { type DueReview, postpone, takeDue } from './review-queue.ts'
import type { Transaction } from '../database/database.ts'

/** What a look found: garbage, of which one step is done, or nothing of the kind; `again` is when to look next. */
export interface Verdict {
  readonly manifests?: number
  readonly links?: number
  readonly blobs?: number
  readonly freedBytes?: number
  readonly again?: number
}

export interface ReviewCount {
  readonly reviewed: number
  readonly manifests: number
  readonly links: number
  readonly blobs: number
  readonly freedBytes: number
  /** Could not be decided, will be tried again. */
  readonly failed: number
}

const noReviews: ReviewCount = {
  reviewed: 0,
  manifests: 0,
  links: 0,
  blobs: 0,
  freedBytes: 0,
  failed: 0,
}

/** How many are decided in one transaction: other writers wait for it. */
const batchSize = 50

/**
 * Looks at everything in the review queue that is due and takes away what is garbage. Any number of workers may do it
 * at once, while clients push and pull.
 */
export async function reviewDue(cleaner: Cleaner, signal?: AbortSignal): Promise<ReviewCount> {
  let count = noReviews
  /** How many are left of a batch that failed and is done one by one. */
  let single = 0
  for (;;) {
    signal?.throwIfAborted()
    const limit = single > 0 ? 1 : batchSize
    const taken: DueReview[] = []
    try {
      const verdicts = await cleaner.database.transaction((transaction) =>
        reviewBatch(cleaner, transaction, limit, taken),
      )
      if (verdicts.length === 0) return count
      count = verdicts.reduce(add, count)
      single = Math.max(0, single - 1)
    } catch (error) {
      const [first] = taken
      if (first === undefined || isKatmanError(error, 'DATABASE_UNAVAILABLE')) throw error
      if (limit > 1) {
        single = batchSize
        continue
      }
      await cleaner.database.transaction((transaction) =>
        postpone(transaction, first, cleaner.now()),
      )
      count = { ...count, failed: count.failed + 1 }
      single -= 1
    }
  }
}

async function reviewBatch(
  cleaner: Cleaner,
  transaction: Transaction,
  limit: number,
  taken: DueReview[],
): Promise<readonly Verdict[]> {
  const now = cleaner.now()
  // The work may run again after a conflict.
  taken.length = 0
  taken.push(...(await takeDue(transaction, now, limit)))
  const verdicts: Verdict[] = []
  // Manifests last: what goes with them is looked at later, by its own delay.
  for (const kind of ['blob', 'link', 'manifest'] as const) {
    for (const review of taken) {
      if (review.kind !== kind) continue
      const verdict = await reviews[kind](cleaner, transaction, review)
      verdicts.push(verdict)
      if (verdict.again === undefined) continue
      const { repository_id: repositoryId, digest, event } = review
      const reviewAfter = verdict.again
      await enqueueReview(transaction, { kind, repositoryId, digest, event, reviewAfter })
    }
  }
  return verdicts
}

const reviews = { blob: reviewBlob, link: reviewLink, manifest: reviewManifest }

function add(count: ReviewCount, verdict: Verdict): ReviewCount {
  return {
    reviewed: count.reviewed + 1,
    manifests: count.manifests + (verdict.manifests ?? 0),
    links: count.links + (verdict.links ?? 0),
    blobs: count.blobs + (verdict.blobs ?? 0),
    freedBytes: count.freedBytes + (verdict.freedBytes ?? 0),
    failed: count.failed,
  }
}
