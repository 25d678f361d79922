import type { Queries, SqlValue } from '../database/database.ts'

export interface Webhook {
  readonly id: string
  /** '' for the whole registry. */
  readonly namespace: string
  /** A pattern. */
  readonly repositories: string
  /** None: everything but pulls. */
  readonly types: readonly string[]
  readonly url: string
  readonly secret: string
  readonly isEnabled: boolean
  /** Messages in a row that were given up. */
  readonly failures: number
  readonly disabledReason: string | null
  readonly createdBy: string | null
  readonly createdAt: number
  readonly updatedAt: number
}

export async function listEnabled(queries: Queries): Promise<readonly Webhook[]> {
  return (await queries.all<Row>(`${select} WHERE is_enabled = 1 ORDER BY created_at, id`)).map(
    read,
  )
}

export async function listWebhooks(
  queries: Queries,
  namespace: string,
): Promise<readonly Webhook[]> {
  return (
    await queries.all<Row>(`${select} WHERE namespace = ? ORDER BY created_at, id`, [namespace])
  ).map(read)
}

export async function getWebhook(queries: Queries, id: string): Promise<Webhook | undefined> {
  const row = await queries.get<Row>(`${select} WHERE id = ?`, [id])
  return row && read(row)
}

/** Writes a new webhook, or one that was changed. */
export async function putWebhook(queries: Queries, webhook: Webhook): Promise<void> {
  const values: readonly SqlValue[] = [
    webhook.id,
    webhook.namespace,
    webhook.repositories,
    JSON.stringify(webhook.types),
    webhook.url,
    webhook.secret,
    webhook.isEnabled ? 1 : 0,
    webhook.failures,
    webhook.disabledReason,
    webhook.createdBy,
    webhook.createdAt,
    webhook.updatedAt,
  ]
  await queries.run(put, values)
}

export async function countWebhooks(queries: Queries, namespace: string): Promise<number> {
  const row = await queries.get<{ readonly count: number }>(
    'SELECT COUNT(*) AS count FROM webhooks WHERE namespace = ?',
    [namespace],
  )
  return row?.count ?? 0
}

/** With its messages. */
export async function deleteWebhook(queries: Queries, id: string): Promise<void> {
  await queries.run('DELETE FROM webhook_deliveries WHERE webhook_id = ?', [id])
  await queries.run('DELETE FROM webhooks WHERE id = ?', [id])
}

/** All of a namespace, with their messages: whoever opens it next does not tell its former owner. */
export async function deleteWebhooksOf(queries: Queries, namespace: string): Promise<void> {
  await queries.run(
    'DELETE FROM webhook_deliveries WHERE webhook_id IN (SELECT id FROM webhooks WHERE namespace = ?)',
    [namespace],
  )
  await queries.run('DELETE FROM webhooks WHERE namespace = ?', [namespace])
}

/**
 * Disables what an account made and may not administer any more. Called after its rights changed; with `isGone` before its row
 * goes. Who administers the namespace may enable it again.
 */
export async function disableForeignWebhooks(
  queries: Queries,
  accountID: number,
  { isGone = false }: { readonly isGone?: boolean } = {},
): Promise<void> {
  const reason = 'whoever made it does not administer the namespace any more'
  await queries.run(disableForeign, [reason, accountID, isGone ? 1 : 0, accountID])
}

/** A message was taken: the failures before it do not count. */
export async function noteSuccess(queries: Queries, id: string): Promise<void> {
  await queries.run('UPDATE webhooks SET failures = 0 WHERE id = ? AND failures > 0', [id])
}

/** A message was given up. After `most` in a row nothing is sent any more. */
export async function noteFailure(
  queries: Queries,
  id: string,
  { most, now }: { readonly most: number; readonly now: number },
): Promise<void> {
  await queries.run('UPDATE webhooks SET failures = failures + 1 WHERE id = ?', [id])
  await queries.run(
    `UPDATE webhooks SET is_enabled = 0, disabled_reason = ?, updated_at = ?
     WHERE id = ? AND failures >= ? AND is_enabled = 1`,
    [`${most} messages in a row were not taken`, now, id, most],
  )
}

export async function disableWebhook(
  queries: Queries,
  id: string,
  { reason, now }: { readonly reason: string; readonly now: number },
): Promise<void> {
  await queries.run(
    'UPDATE webhooks SET is_enabled = 0, disabled_reason = ?, updated_at = ? WHERE id = ?',
    [reason, now, id],
  )
}

interface Row {
  readonly id: string
  readonly namespace: string
  readonly repositories: string
  readonly types: string
  readonly url: string
  readonly secret: string
  readonly is_enabled: number
  readonly failures: number
  readonly disabled_reason: string | null
  readonly created_by: string | null
  readonly created_at: number
  readonly updated_at: number
}

function read(row: Row): Webhook {
  return {
    id: row.id,
    namespace: row.namespace,
    repositories: row.repositories,
    types: JSON.parse(row.types) as readonly string[],
    url: row.url,
    secret: row.secret,
    isEnabled: row.is_enabled === 1,
    failures: row.failures,
    disabledReason: row.disabled_reason,
    createdBy: row.created_by,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

const columns = `id, namespace, repositories, types, url, secret, is_enabled, failures, disabled_reason, created_by, created_at, updated_at`

const disableForeign = `UPDATE webhooks SET is_enabled = 0, disabled_reason = ?
  WHERE is_enabled = 1 AND created_by = (SELECT name FROM accounts WHERE id = ?)
    AND (? = 1 OR NOT EXISTS (
      SELECT 1 FROM accounts a WHERE a.id = ? AND a.is_disabled = 0 AND (a.is_admin = 1 OR EXISTS (
        SELECT 1 FROM namespace_members m
        WHERE m.account_id = a.id AND m.namespace = webhooks.namespace AND m.role = 'owner'))))`

const select = `SELECT ${columns} FROM webhooks`

const put = `INSERT INTO webhooks (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (id) DO UPDATE SET repositories = excluded.repositories, types = excluded.types, url = excluded.url,
    secret = excluded.secret, is_enabled = excluded.is_enabled, failures = excluded.failures,
    disabled_reason = excluded.disabled_reason, updated_at = excluded.updated_at`
