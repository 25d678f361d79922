import { expireUploads } from '../distribution/expire-uploads.ts'
import type { Cleaner } from './cleaner.ts'
import { purgeDeleted } from './deleted.ts'
import { deleteObjects } from './objects.ts'
import { type ReviewCount, reviewDue } from './review.ts'

export interface CleanupCount extends ReviewCount {
  /** Deleted manifests whose time to come back was over. */
  readonly purged: number
  readonly objects: number
  /** Uploads that nobody went on with. */
  readonly uploads: number
}

/** Does everything that clean-up has to do now. */
export async function runCleanup(cleaner: Cleaner, signal?: AbortSignal): Promise<CleanupCount> {
  const uploads = await expireUploads(cleaner, cleaner.now() - cleaner.options.uploadsMs, signal)
  const purged = await purgeDeleted(cleaner, signal)
  const reviews = await reviewDue(cleaner, signal)
  return { ...reviews, uploads, purged, objects: await deleteObjects(cleaner, signal) }
}
