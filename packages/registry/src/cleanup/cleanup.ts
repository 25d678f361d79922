import { storeManifest } from '../distribution/store-manifest.ts'
import type { Foundation, Part } from '../part.ts'
import { type Cleaner, type CleanupTimes, defaultTimes } from './cleaner.ts'
import type { CleanupOptions } from './cleanup-options.ts'
import { createDeletedListener } from './deleted.ts'
import { createCleanupFace } from './face.ts'
import { guardUploads } from './guard-uploads.ts'
import { refuseMovedTags } from './immutable-tags.ts'
import { createCleanupJobs } from './job-kinds.ts'
import { createReviewListener } from './review-listener.ts'
import type { StoreManifest } from './undelete.ts'
import { createUsageListener } from './usage.ts'

const dayMs = 86_400_000

/** Clean-up: garbage, retention, immutable tags, quotas, what can come back, scrub. */
export function openCleanup({ database, core, now, warn, options: all }: Foundation): Part {
  const options = all.cleanup ?? {}
  const times = timesOf(options)
  const cleaner: Cleaner = {
    database,
    objects: core.objects,
    async tell(transaction, change) {
      for (const listener of core.listeners) await listener(transaction, change)
    },
    now,
    options: times,
    warn,
  }
  const store: StoreManifest = async (repository, manifest, actor) => {
    // It was there before, so what it names may be elsewhere.
    await storeManifest(
      core,
      repository,
      { ...manifest, isSparse: core.allowSparse },
      { actor, at: now() },
    )
  }
  const periods = {
    cleanupMs: Math.max(100, options.everyMs ?? 5000),
    retentionMs: options.retentionEveryMs ?? dayMs,
    scrubMs: options.scrubEveryMs,
    scrubBytesPerSecond: options.scrubBytesPerSecond ?? 50_000_000,
  }
  return {
    // What refuses comes before what only writes down.
    listeners: [
      refuseMovedTags,
      createUsageListener(),
      createDeletedListener(times),
      createReviewListener(times),
    ],
    wrap: { guardGate: (gate) => guardUploads(database, gate), guardAnswers: (handle) => handle },
    faces: [createCleanupFace(cleaner, store)],
    jobs: createCleanupJobs(cleaner, periods, warn),
  }
}

function timesOf(options: CleanupOptions): CleanupTimes {
  return {
    ...defaultTimes,
    reviewAfterMs: options.reviewAfterMs ?? defaultTimes.reviewAfterMs,
    condemnedMs: options.condemnedMs ?? defaultTimes.condemnedMs,
    untaggedMs: options.untaggedMs,
    areReferrersRemoved: options.areReferrersRemoved ?? defaultTimes.areReferrersRemoved,
    undeleteMs: options.undeleteMs ?? defaultTimes.undeleteMs,
    uploadsMs: options.uploadsMs ?? defaultTimes.uploadsMs,
  }
}
