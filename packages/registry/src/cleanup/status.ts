import type { Queries } from '../database/database.ts'

/** What clean-up has before it. */
export interface CleanupStatus {
  /** Looks that are due now, and those that wait for their time. */
  readonly reviewsDue: number
  readonly reviewsWaiting: number
  /** When the oldest look was due, in milliseconds since 1970; null when none is. */
  readonly oldestDue: number | null
  /** Blobs that nobody holds and that an upload can still bring back. */
  readonly condemnedBlobs: number
  readonly condemnedBytes: number
  readonly objectsToDelete: number
  /** Manifests that were deleted and can come back. */
  readonly deletedManifests: number
}

export async function readStatus(queries: Queries, now: number): Promise<CleanupStatus> {
  const row = await queries.get<CleanupStatus>(status, [now, now, now])
  if (row === undefined) throw new TypeError('a query of sums gave no row')
  return row
}

const status = `SELECT
  (SELECT COUNT(*) FROM review_queue WHERE review_after <= ?) AS "reviewsDue",
  (SELECT COUNT(*) FROM review_queue WHERE review_after > ?) AS "reviewsWaiting",
  (SELECT MIN(review_after) FROM review_queue WHERE review_after <= ?) AS "oldestDue",
  (SELECT COUNT(*) FROM blobs WHERE state = 'condemned') AS "condemnedBlobs",
  (SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM blobs WHERE state = 'condemned') AS "condemnedBytes",
  (SELECT COUNT(*) FROM object_deletions) AS "objectsToDelete",
  (SELECT COUNT(*) FROM deleted_manifests) AS "deletedManifests"`
