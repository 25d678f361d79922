import type { Queries, Transaction } from '../database/database.ts'
import { Refusal } from '../refusal.ts'

export interface NamespaceUsage {
  readonly namespace: string
  /** Bytes of everything its repositories hold, the same content once. */
  readonly bytes: number
  /** The most it may hold, in bytes; null without a quota. */
  readonly quota: number | null
}

/**
 * Refuses a transaction that brought a namespace over its quota.
 *
 * Others that are under way are not seen, so they wait for each other where there is a quota: it holds exactly.
 */
export async function checkQuota(transaction: Transaction, namespace: string): Promise<void> {
  let usage = await findUsage(transaction, namespace)
  if (usage.quota === null) return
  if (transaction.engine === 'postgres') {
    await transaction.all('SELECT pg_advisory_xact_lock(hashtextextended(?, 20))', [namespace])
    usage = await findUsage(transaction, namespace)
  }
  if (usage.quota !== null && usage.bytes > usage.quota)
    throw overQuota({ ...usage, quota: usage.quota })
}

/** Refuses an upload whose bytes, when they are all there, would be too many. Uploads that are not finished count, too. */
export async function checkUpload(
  queries: Queries,
  namespace: string,
  bytes: number,
): Promise<void> {
  const { bytes: held, quota } = await findUsage(queries, namespace)
  if (quota === null) return
  const row = await queries.get<{ readonly bytes: number }>(
    namespace === 'library' ? `${openUploads} OR repository NOT LIKE '%/%'` : openUploads,
    [`${namespace}/`, `${namespace}0`],
  )
  const all = held + (row?.bytes ?? 0) + bytes
  if (all > quota) throw overQuota({ namespace, bytes: all, quota })
}

export async function findUsage(queries: Queries, namespace: string): Promise<NamespaceUsage> {
  const row = await queries.get<Omit<NamespaceUsage, 'namespace'>>(oneUsage, [namespace, namespace])
  return { namespace, bytes: row?.bytes ?? 0, quota: row?.quota ?? null }
}

/** At most `limit` namespaces that hold something or have a quota, in the order of their names, after `last`. */
export function listUsage(
  queries: Queries,
  { last = '', limit }: { readonly last?: string; readonly limit: number },
): Promise<readonly NamespaceUsage[]> {
  return queries.all<NamespaceUsage>(allUsage, [last, last, limit])
}

/** Null takes the quota away. What is over it stays; nothing is added. */
export async function setQuota(
  queries: Queries,
  namespace: string,
  bytes: number | null,
): Promise<void> {
  if (bytes === null) await queries.run('DELETE FROM quotas WHERE namespace = ?', [namespace])
  else {
    await queries.run(
      `INSERT INTO quotas (namespace, bytes) VALUES (?, ?)
        ON CONFLICT (namespace) DO UPDATE SET bytes = excluded.bytes`,
      [namespace, bytes],
    )
  }
}

/** What docker prints after `denied: `. */
function overQuota({
  namespace,
  bytes,
  quota,
}: NamespaceUsage & { readonly quota: number }): Refusal {
  return new Refusal(
    403,
    'DENIED',
    `the quota of ${namespace} is ${formatBytes(quota)}: this push would make it ${formatBytes(bytes)}`,
    { detail: { namespace, quota, bytes } },
  )
}

function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const step = bytes < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(bytes) / 3))
  return `${Number((bytes / 1000 ** step).toFixed(2))} ${units[step] ?? ''}`
}

const sum = 'SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM namespace_usage'

/** From one text to another: what begins with the name and a slash, which `0` comes after. */
const openUploads = `SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) AS bytes FROM uploads
  WHERE (repository >= ? AND repository < ?)`

const oneUsage = `SELECT (${sum} WHERE namespace = ?) AS bytes,
  (SELECT bytes FROM quotas WHERE namespace = ?) AS quota`

const allUsage = `SELECT n.namespace, (${sum} u WHERE u.namespace = n.namespace) AS bytes,
    (SELECT q.bytes FROM quotas q WHERE q.namespace = n.namespace) AS quota
  FROM (
    SELECT namespace FROM namespace_usage WHERE namespace > ?
    UNION SELECT namespace FROM quotas WHERE namespace > ?
  ) n ORDER BY n.namespace LIMIT ?`
