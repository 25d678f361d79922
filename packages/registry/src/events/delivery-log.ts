import type { Queries } from '../database/database.ts'

export interface Delivery {
  readonly id: string
  readonly type: string
  readonly body: string
  readonly state: string
  readonly attempts: number
  readonly status: number | null
  readonly duration_ms: number | null
  readonly answer: string | null
  readonly error: string | null
  readonly created_at: number
  readonly attempted_at: number | null
}

const pageSize = 50

/** The newest first; `next` is what to ask `before` for the page after it. */
export async function listDeliveries(
  queries: Queries,
  webhookId: string,
  before: string | undefined,
): Promise<{ readonly deliveries: readonly Delivery[]; readonly next: string | null }> {
  const place = before === undefined ? undefined : await getDelivery(queries, webhookId, before)
  const deliveries =
    place === undefined
      ? await queries.all<Delivery>(firstPage, [webhookId, pageSize])
      : await queries.all<Delivery>(laterPage, [
          webhookId,
          place.created_at,
          place.created_at,
          place.id,
          pageSize,
        ])
  const last = deliveries.length === pageSize ? deliveries.at(-1) : undefined
  return { deliveries, next: last?.id ?? null }
}

export function getDelivery(
  queries: Queries,
  webhookId: string,
  id: string,
): Promise<Delivery | undefined> {
  return queries.get<Delivery>('SELECT * FROM webhook_deliveries WHERE webhook_id = ? AND id = ?', [
    webhookId,
    id,
  ])
}

export function showDelivery(delivery: Delivery): object {
  const { id, type, state, attempts, status, duration_ms, answer, error } = delivery
  const { created_at, attempted_at } = delivery
  return {
    id,
    type,
    state,
    attempts,
    status,
    duration_ms,
    answer,
    error,
    created_at: new Date(created_at).toISOString(),
    attempted_at: attempted_at === null ? null : new Date(attempted_at).toISOString(),
  }
}

const firstPage = `SELECT * FROM webhook_deliveries WHERE webhook_id = ?
  ORDER BY created_at DESC, id DESC LIMIT ?`

const laterPage = `SELECT * FROM webhook_deliveries WHERE webhook_id = ? AND (created_at < ? OR (created_at = ? AND id < ?))
  ORDER BY created_at DESC, id DESC LIMIT ?`
