import type { Transaction } from '../database/database.ts'
import type { Review } from '../metadata/reviews.ts'

export interface DueReview {
  readonly kind: Review['kind']
  readonly repository_id: number
  readonly digest: string
  readonly event: string
  readonly attempts: number
}

/** Takes what is due out of the queue, for this transaction alone. */
export function takeDue(
  transaction: Transaction,
  now: number,
  limit: number,
): Promise<readonly DueReview[]> {
  const sql = transaction.engine === 'postgres' ? takeSkipping : takeAll
  return transaction.all<DueReview>(sql, [now, limit])
}

/** Puts one off that could not be decided, longer each time. */
export async function postpone(
  transaction: Transaction,
  { kind, repository_id, digest, attempts }: DueReview,
  now: number,
): Promise<void> {
  const delayMs = Math.min(86_400_000, 5000 * 2 ** Math.min(attempts, 20))
  await transaction.run(
    `UPDATE review_queue SET attempts = attempts + 1, review_after = ?
      WHERE kind = ? AND repository_id = ? AND digest = ?`,
    [now + delayMs, kind, repository_id, digest],
  )
}

const due = `SELECT kind, repository_id, digest FROM review_queue
  WHERE review_after <= ? ORDER BY review_after LIMIT ?`

const take = (rows: string) => `WITH due AS (${rows})
  DELETE FROM review_queue
  WHERE (kind, repository_id, digest) IN (SELECT kind, repository_id, digest FROM due)
  RETURNING kind, repository_id, digest, event, attempts`

const takeAll = take(due)

const takeSkipping = take(`${due} FOR UPDATE SKIP LOCKED`)
