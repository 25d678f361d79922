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
  const purged = await purgeDeleted(cleaner, signal)
  const reviews = await reviewDue(cleaner, signal)
  const uploads = await expireUploads(cleaner, cleaner.now() - cleaner.options.uploadsMs, {
    signal,
    onFailure({ id }, error) {
      const why = error instanceof Error ? error.message : String(error)
      cleaner.warn(`the upload ${id} could not be given up and is tried again in an hour: ${why}`)
    },
  })
  return { ...reviews, uploads, purged, objects: await deleteObjects(cleaner, signal) }
}
