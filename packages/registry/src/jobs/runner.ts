import { setTimeout } from 'node:timers/promises'
import type { Database } from '../database/database.ts'
import {
  type Claim,
  claimJobs,
  ensurePeriodic,
  failClaim,
  finishClaim,
  listDueKinds,
  periodicKey,
  releaseClaim,
  renewClaim,
} from './claim.ts'
import type { JobKind } from './job.ts'

export interface JobRunnerOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** How often it looks for work when there is none. Default 1 s. */
  readonly pollMs?: number
  /** A job whose replica is dead is taken over after so long. Default 60 s; clocks may differ by half of it. */
  readonly leaseMs?: number
  /** From 0 up to 1, to spread what is tried again. Default Math.random. */
  readonly random?: () => number
  /** Is told of each attempt that failed. */
  readonly onFailure?: (failure: JobFailure) => void
}

export interface JobFailure {
  readonly kind: string
  readonly attempt: number
  readonly isGivenUp: boolean
  readonly error: unknown
}

/** Does the queue's work, beside any number of others on the same database. */
export interface JobRunner {
  /** Does all that is due now and resolves when it is done. How many jobs it ran. */
  runDue(): Promise<number>
  /** Looks for work again and again. */
  start(): void
  /** Work was queued here: need not wait for the next look. */
  wake(): void
  /** Takes no more, aborts what runs and gives it back to the queue. Resolves when nothing runs. */
  stop(): Promise<void>
}

const defaultAttempts = 12
const longestDelayMs = 3_600_000

export function createJobRunner(
  database: Database,
  kinds: readonly JobKind[],
  options: JobRunnerOptions,
): JobRunner {
  const { now, pollMs = 1000, leaseMs = 60_000, random = Math.random, onFailure } = options
  const stopping = new AbortController()
  const running = new Set<Promise<void>>()
  const free = new Map(kinds.map(({ kind, concurrency = 1 }) => [kind, concurrency]))
  let waking = new AbortController()
  let isPeriodicEnsured = false
  let loop: Promise<void> | undefined

  /** Begins what is due and has a free place; how many that were. */
  async function begin(): Promise<number> {
    if (!isPeriodicEnsured) {
      for (const kind of kinds)
        if (kind.everyMs !== undefined) await ensurePeriodic(database, kind, now())
      isPeriodicEnsured = true
    }
    let begun = 0
    const due = new Set(await listDueKinds(database, now()))
    for (const kind of kinds) {
      const limit = free.get(kind.kind) ?? 0
      if (limit === 0 || !due.has(kind.kind) || stopping.signal.aborted) continue
      for (const claim of await claimJobs(database, kind.kind, { now: now(), leaseMs, limit })) {
        begun += 1
        free.set(kind.kind, (free.get(kind.kind) ?? 0) - 1)
        const work = runClaim(kind, claim).finally(() => {
          running.delete(work)
          free.set(kind.kind, (free.get(kind.kind) ?? 0) + 1)
          wake()
        })
        running.add(work)
      }
    }
    return begun
  }

  /** Never rejects: a database that is away leaves the job to its lock. */
  async function runClaim(kind: JobKind, claim: Claim): Promise<void> {
    const lost = new AbortController()
    const signal = AbortSignal.any([stopping.signal, lost.signal])
    const renewal = setInterval(() => {
      renewClaim(database, claim, now() + leaseMs).then(
        (isOurs) => !isOurs && lost.abort(),
        () => undefined,
      )
    }, leaseMs / 3)
    renewal.unref()
    try {
      await attempt(kind, claim, signal)
    } catch (error) {
      onFailure?.({ kind: kind.kind, attempt: claim.attempts, isGivenUp: false, error })
    } finally {
      clearInterval(renewal)
    }
  }

  async function attempt(kind: JobKind, claim: Claim, signal: AbortSignal): Promise<void> {
    const isPeriodic = kind.everyMs !== undefined && claim.unique_key === periodicKey(kind.kind)
    const nextAt = () => (isPeriodic ? now() + (kind.everyMs ?? 0) : undefined)
    const last = kind.maxAttempts ?? defaultAttempts
    try {
      // It was taken before and never came back: whatever it does, it takes the process with it.
      if (claim.attempts > last && !isPeriodic)
        throw new Error('the process that did it ended in the middle')
      signal.throwIfAborted()
      const payload: unknown = JSON.parse(claim.payload)
      await kind.run(payload, { attempt: claim.attempts, signal, now })
    } catch (error) {
      if (stopping.signal.aborted) {
        await releaseClaim(database, claim)
        return
      }
      const isLast = claim.attempts >= last
      const isGivenUp = isLast && !isPeriodic
      const delayMs = kind.delayMs?.(claim.attempts) ?? defaultDelayMs(claim.attempts)
      await failClaim(database, claim, {
        error: error instanceof Error ? error.message : String(error),
        now: now(),
        retryAt: isLast ? nextAt() : Math.round(now() + delayMs * (0.5 + random() / 2)),
        attempts: isLast && isPeriodic ? 0 : claim.attempts,
      })
      onFailure?.({ kind: kind.kind, attempt: claim.attempts, isGivenUp, error })
      return
    }
    await finishClaim(database, claim, { now: now(), nextAt: nextAt() })
  }

  async function look(): Promise<void> {
    while (!stopping.signal.aborted) {
      waking = new AbortController()
      const { signal } = waking
      // A database that is away is asked again at the next look.
      const begun = await begin().catch((error: unknown) => {
        onFailure?.({ kind: 'queue', attempt: 1, isGivenUp: false, error })
        return 0
      })
      if (begun === 0)
        await setTimeout(pollMs, undefined, { signal, ref: false }).catch(() => undefined)
    }
  }

  function wake(): void {
    waking.abort()
  }

  return {
    async runDue() {
      let total = 0
      for (;;) {
        const begun = await begin()
        if (begun === 0 && running.size === 0) return total
        total += begun
        if (running.size > 0) await Promise.race(running)
      }
    },
    start() {
      loop ??= look()
    },
    wake,
    async stop() {
      stopping.abort()
      wake()
      await loop
      await Promise.all(running)
    },
  }
}

function defaultDelayMs(attempt: number): number {
  return Math.min(longestDelayMs, 1000 * 2 ** Math.min(attempt - 1, 30))
}
