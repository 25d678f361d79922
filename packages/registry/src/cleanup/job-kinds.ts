import { setTimeout } from 'node:timers/promises'
import type { JobKind } from '../jobs/job.ts'
import type { Cleaner } from './cleaner.ts'
import { findOrphans } from './objects.ts'
import { recount } from './recount.ts'
import { runRetention } from './retention.ts'
import { runCleanup } from './run-cleanup.ts'
import { scrub } from './scrub.ts'

export interface CleanupPeriods {
  /** How often it looks for garbage. */
  readonly cleanupMs: number
  readonly retentionMs: number
  /** How often it begins to read all blobs; undefined for only when asked. */
  readonly scrubMs: number | undefined
  readonly scrubBytesPerSecond: number
}

export const scrubJobKind = 'cleanup/scrub'

const dayMs = 86_400_000

/** The work of clean-up, each once at a time over all replicas. */
export function createCleanupJobs(
  cleaner: Cleaner,
  periods: CleanupPeriods,
  warn: (line: string) => void,
): readonly JobKind[] {
  const runScrub: JobKind['run'] = async (_, { signal }) => {
    const { scrubBytesPerSecond: bytesPerSecond } = periods
    await scrub(cleaner, {
      bytesPerSecond,
      signal,
      pause: (ms, stopping) =>
        setTimeout(ms, undefined, stopping === undefined ? {} : { signal: stopping }),
      onDamage: ({ digest, reason }) => {
        warn(`blob ${digest} is damaged and quarantined until it is pushed again: ${reason}`)
      },
    })
  }
  return [
    {
      kind: 'cleanup/review',
      everyMs: periods.cleanupMs,
      async run(_, { signal }) {
        await runCleanup(cleaner, signal)
      },
    },
    {
      kind: 'cleanup/orphans',
      everyMs: dayMs,
      async run(_, { signal }) {
        await findOrphans(cleaner, signal)
      },
    },
    {
      kind: 'cleanup/recount',
      everyMs: dayMs,
      async run(_, { signal }) {
        const corrected = await recount(cleaner.database, { signal })
        if (corrected > 0) warn(`${corrected} counters of namespaces were wrong and are corrected`)
      },
    },
    {
      kind: 'cleanup/retention',
      everyMs: periods.retentionMs,
      async run(_, { signal }) {
        await runRetention(cleaner, signal)
      },
    },
    {
      kind: scrubJobKind,
      ...(periods.scrubMs === undefined ? {} : { everyMs: periods.scrubMs }),
      run: runScrub,
    },
  ]
}
