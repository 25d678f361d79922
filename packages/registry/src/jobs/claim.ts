import { randomUUID } from 'node:crypto'
import type { Database, SqlValue, Transaction } from '../database/database.ts'
import type { JobKind } from './job.ts'

/** A job that is ours until `lockedUntil`, if we do not renew it. */
export interface Claim {
  readonly id: number
  readonly unique_key: string | null
  readonly payload: string
  readonly attempts: number
  readonly requests: number
  readonly locked_by: string
}

/** Which kinds have work that is due and that nobody does. */
export async function listDueKinds(database: Database, now: number): Promise<readonly string[]> {
  const rows = await database.all<{ readonly kind: string }>(
    `SELECT DISTINCT kind FROM jobs WHERE given_up_at IS NULL AND run_after <= ? AND locked_until <= ?`,
    [now, now],
  )
  return rows.map(({ kind }) => kind)
}

/** Takes up to `limit` jobs that are due. Two that call it at once get different ones. */
export function claimJobs(
  database: Database,
  kind: string,
  {
    now,
    leaseMs,
    limit,
  }: { readonly now: number; readonly leaseMs: number; readonly limit: number },
): Promise<readonly Claim[]> {
  const values: readonly SqlValue[] = [kind, now, now, limit, now + leaseMs, randomUUID()]
  return change(database, (transaction) =>
    transaction.all<Claim>(transaction.engine === 'postgres' ? claimSkipping : claimAll, values),
  )
}

/** False when another has it: the lock ran out. */
export async function renewClaim(
  database: Database,
  { id, locked_by }: Claim,
  lockedUntil: number,
): Promise<boolean> {
  const sql = 'UPDATE jobs SET locked_until = ? WHERE id = ? AND locked_by = ?'
  return (
    (await change(database, (transaction) => transaction.run(sql, [lockedUntil, id, locked_by]))) >
    0
  )
}

/** Done: forgotten, or due again when it is periodic or was asked for meanwhile. */
export async function finishClaim(
  database: Database,
  { id, locked_by, requests }: Claim,
  { now, nextAt }: { readonly now: number; readonly nextAt: number | undefined },
): Promise<void> {
  await change(database, async (transaction) => {
    if (nextAt === undefined) {
      const sql = 'DELETE FROM jobs WHERE id = ? AND locked_by = ? AND requests = ?'
      if ((await transaction.run(sql, [id, locked_by, requests])) > 0) return
    }
    await transaction.run(finished, [requests, nextAt ?? now, now, id, locked_by])
  })
}

/** Failed: due again at `retryAt`, or given up when that is undefined. */
export async function failClaim(
  database: Database,
  { id, locked_by }: Claim,
  failure: {
    readonly error: string
    readonly now: number
    readonly retryAt: number | undefined
    readonly attempts: number
  },
): Promise<void> {
  const { error, now, retryAt, attempts } = failure
  await change(database, (transaction) =>
    transaction.run(failed, [
      error,
      retryAt ?? now,
      retryAt === undefined ? now : null,
      attempts,
      id,
      locked_by,
    ]),
  )
}

/** Back to the queue as if nobody had taken it. */
export async function releaseClaim(database: Database, { id, locked_by }: Claim): Promise<void> {
  const sql = `UPDATE jobs SET locked_until = 0, locked_by = NULL, attempts = attempts - 1
    WHERE id = ? AND locked_by = ?`
  await change(database, (transaction) => transaction.run(sql, [id, locked_by]))
}

/** Makes sure that a periodic job is there, and due no later than its period says. */
export async function ensurePeriodic(
  database: Database,
  { kind, everyMs = 0 }: JobKind,
  now: number,
): Promise<void> {
  await change(database, (transaction) =>
    transaction.run(ensured, [kind, periodicKey(kind), now, now, now + everyMs, now + everyMs]),
  )
}

export function periodicKey(kind: string): string {
  return `every/${kind}`
}

/** A power cut that takes such a change back makes a job run once more, which it must bear anyway. */
function change<T>(database: Database, work: (transaction: Transaction) => Promise<T>): Promise<T> {
  return database.transaction(work, { isDurable: false })
}

const due = `SELECT id FROM jobs
  WHERE kind = ? AND given_up_at IS NULL AND run_after <= ? AND locked_until <= ?
  ORDER BY run_after, id LIMIT ?`

const lock = (taken: string) => `WITH due AS (${taken})
  UPDATE jobs SET locked_until = ?, locked_by = ?, attempts = attempts + 1
  WHERE id IN (SELECT id FROM due)
  RETURNING id, unique_key, payload, attempts, requests, locked_by`

const claimAll = lock(due)

const claimSkipping = lock(`${due} FOR UPDATE SKIP LOCKED`)

const finished = `UPDATE jobs SET
    run_after = CASE WHEN requests = ? THEN CAST(? AS BIGINT) ELSE CAST(? AS BIGINT) END,
    attempts = 0, locked_until = 0, locked_by = NULL, last_error = NULL
  WHERE id = ? AND locked_by = ?`

const failed = `UPDATE jobs SET last_error = ?, run_after = ?, given_up_at = ?, attempts = ?,
    locked_until = 0, locked_by = NULL
  WHERE id = ? AND locked_by = ?`

const ensured = `INSERT INTO jobs (kind, unique_key, payload, run_after, created_at) VALUES (?, ?, 'null', ?, ?)
  ON CONFLICT (unique_key) DO UPDATE SET
    run_after = CASE WHEN jobs.run_after > ? THEN ? ELSE jobs.run_after END`
