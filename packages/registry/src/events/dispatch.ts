import { randomUUID } from 'node:crypto'
import type { Database, Transaction } from '../database/database.ts'
import { matches } from '../accounts/pattern.ts'
import { enqueueJob } from '../jobs/job.ts'
import { cloudEvent, matchesType, type StoredEvent } from './event.ts'
import { listEnabled, type Webhook } from './webhook-store.ts'

export const deliverKind = 'webhook.deliver'

/** So many events get their place at once. */
const batchSize = 200

/**
 * Gives new events their place in the order and queues what webhooks want of them, in one transaction: each event once, whichever
 * replica does it. How many those were.
 */
export async function dispatchEvents(
  database: Database,
  { source, now }: { readonly source: string; readonly now: number },
): Promise<number> {
  // Most of the time there is nothing, and nobody has to wait for a look.
  if ((await database.get(anyNew)) === undefined) return 0
  return database.transaction(async (transaction) => {
    const last = await lockOrder(transaction)
    const found = await transaction.all<StoredEvent & { readonly id: number }>(newEvents, [
      batchSize,
    ])
    const webhooks = found.length === 0 ? [] : await listEnabled(transaction)
    for (const [index, row] of found.entries()) {
      const event = { ...row, seq: last + index + 1 }
      await transaction.run('UPDATE events SET seq = ? WHERE id = ?', [event.seq, event.id])
      for (const webhook of webhooks) {
        if (!wants(webhook, event)) continue
        const body = JSON.stringify(cloudEvent(event, source))
        const id = await addDelivery(transaction, { webhook, type: event.type, body, now })
        await enqueueDelivery(transaction, id, now)
      }
    }
    await transaction.run(setLast, [String(last + found.length)])
    return found.length
  })
}

/** Writes down a message that is to be sent. Its id. */
export async function addDelivery(
  transaction: Transaction,
  message: {
    readonly webhook: Pick<Webhook, 'id'>
    readonly type: string
    readonly body: string
    readonly now: number
  },
): Promise<string> {
  const { webhook, type, body, now } = message
  const id = `msg_${randomUUID()}`
  await transaction.run(insertDelivery, [id, webhook.id, type, body, now])
  return id
}

export function enqueueDelivery(transaction: Transaction, id: string, now: number): Promise<void> {
  return enqueueJob(
    transaction,
    { kind: deliverKind, payload: { delivery: id }, uniqueKey: `${deliverKind}/${id}` },
    now,
  )
}

/** The place of the newest event that everybody may see. */
export async function readLastSeq(database: Database): Promise<number> {
  const row = await database.get<{ readonly value: string }>(getLast)
  return Number(row?.value ?? 0)
}

/** The place of the last event, held until the end of the transaction: one gives places at a time. */
async function lockOrder(transaction: Transaction): Promise<number> {
  await transaction.run(
    `INSERT INTO settings (key, value) VALUES ('events.last', '0') ON CONFLICT (key) DO NOTHING`,
  )
  const row = await transaction.get<{ readonly value: string }>(
    transaction.engine === 'postgres' ? `${getLast} FOR UPDATE` : getLast,
  )
  return Number(row?.value ?? 0)
}

function wants(webhook: Webhook, event: StoredEvent): boolean {
  return (
    (webhook.namespace === '' || webhook.namespace === event.namespace) &&
    matches(webhook.repositories, event.repository) &&
    matchesType(webhook.types, event.type)
  )
}

const anyNew = 'SELECT id FROM events WHERE seq IS NULL LIMIT 1'

const newEvents = `SELECT id, event_id, type, repository, namespace, subject, actor, at, data
  FROM events WHERE seq IS NULL ORDER BY id LIMIT ?`

const getLast = "SELECT value FROM settings WHERE key = 'events.last'"

const setLast = "UPDATE settings SET value = ? WHERE key = 'events.last'"

const insertDelivery = `INSERT INTO webhook_deliveries (id, webhook_id, type, body, state, attempts, created_at)
  VALUES (?, ?, ?, ?, 'waiting', 0, ?)`
