import type { Queries } from '../database/database.ts'

/** Something that may have become garbage. */
export interface Review {
  /** A `manifest` of a repository, its `link` to a blob, or a `blob` of all repositories. */
  readonly kind: 'manifest' | 'link' | 'blob'
  /** 0 for a blob. */
  readonly repositoryId: number
  readonly digest: string
  /** Milliseconds since 1970. */
  readonly reviewAfter: number
  /** What happened: `tag-moved`, `index-deleted`. */
  readonly event: string
}

/**
 * Asks the clean-up to look at something later. A review that waits already moves to the new time: its worker may
 * be about to close it and would miss this event.
 */
export async function enqueueReview(queries: Queries, review: Review): Promise<void> {
  await queries.run(
    `INSERT INTO review_queue (kind, repository_id, digest, review_after, event) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (kind, repository_id, digest)
     DO UPDATE SET review_after = excluded.review_after, event = excluded.event, attempts = 0`,
    [review.kind, review.repositoryId, review.digest, review.reviewAfter, review.event],
  )
}
