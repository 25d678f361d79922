import type { Queries } from '../database/database.ts'

/** A kind of work that whichever replica is free does, at least once: doing it again must do no harm. */
export interface JobKind {
  readonly kind: string
  /**
   * Does it. When it rejects it is tried again later, when it resolves it is done.
   *
   * @param payload what was queued: parse it, another version may have queued it.
   */
  run(payload: unknown, context: JobContext): Promise<void>
  /** A periodic job: due once in so long, over all replicas, and never given up. */
  readonly everyMs?: number
  /** How many of this kind one replica does at once. Default 1. */
  readonly concurrency?: number
  /** It is given up after so many attempts, its last error is kept. Default 12 (half an hour by the default delays). */
  readonly maxAttempts?: number
  /** How long to wait after this attempt, counted from 1, failed. Default 1 s, doubled each time up to an hour. */
  delayMs?(attempt: number): number
}

export interface JobContext {
  /** Counted from 1. */
  readonly attempt: number
  /** Aborts when the replica stops or has lost the job to another. */
  readonly signal: AbortSignal
  /** Milliseconds since 1970. */
  now(): number
}

export interface JobRequest {
  readonly kind: string
  /** Any JSON. */
  readonly payload?: unknown
  /**
   * Work with the same key is queued once. Asked for again while it waits, it takes the newest payload and the
   * earlier time; while it runs, it runs once more afterwards; after it was given up, it begins anew.
   */
  readonly uniqueKey?: string
  /** Milliseconds since 1970: not before. Default now. */
  readonly runAfter?: number
}

/** Puts work into the queue: together with what asks for it, inside its transaction. */
export async function enqueueJob(
  queries: Queries,
  { kind, payload = null, uniqueKey, runAfter }: JobRequest,
  now: number,
): Promise<void> {
  await queries.run(insertJob, [
    kind,
    uniqueKey ?? null,
    JSON.stringify(payload),
    runAfter ?? now,
    now,
  ])
}

/** A job that waits after a failure keeps its time: new requests must not hurry a peer that is down. */
const insertJob = `
  INSERT INTO jobs (kind, unique_key, payload, run_after, created_at) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (unique_key) DO UPDATE SET
    payload = excluded.payload,
    requests = jobs.requests + 1,
    run_after = CASE
      WHEN jobs.given_up_at IS NOT NULL OR (jobs.attempts = 0 AND jobs.run_after > excluded.run_after)
      THEN excluded.run_after ELSE jobs.run_after END,
    attempts = CASE WHEN jobs.given_up_at IS NULL THEN jobs.attempts ELSE 0 END,
    given_up_at = NULL`
