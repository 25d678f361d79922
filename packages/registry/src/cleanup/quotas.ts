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
 * Others that are under way are not seen. While the namespace is less than half full that does no harm; from there
 * on they wait for each other, so that the quota holds exactly.
 */
export async function checkQuota(transaction: Transaction, namespace: string): Promise<void> {
  let usage = await findUsage(transaction, namespace)
  if (usage.quota === null || usage.bytes <= usage.quota / 2) return
  if (transaction.engine === 'postgres') {
    await transaction.all('SELECT pg_advisory_xact_lock(hashtextextended(?, 20))', [namespace])
    usage = await findUsage(transaction, namespace)
  }
  if (usage.quota !== null && usage.bytes > usage.quota)
    throw overQuota({ ...usage, quota: usage.quota })
}

/** Refuses an upload whose bytes, when they are all there, would be too many. */
export async function checkUpload(
  queries: Queries,
  namespace: string,
  bytes: number,
): Promise<void> {
  const usage = await findUsage(queries, namespace)
  if (usage.quota !== null && usage.bytes + bytes > usage.quota)
    throw overQuota({ ...usage, bytes: usage.bytes + bytes, quota: usage.quota })
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

const oneUsage = `SELECT (${sum} WHERE namespace = ?) AS bytes,
  (SELECT bytes FROM quotas WHERE namespace = ?) AS quota`

const allUsage = `SELECT n.namespace, (${sum} u WHERE u.namespace = n.namespace) AS bytes,
    (SELECT q.bytes FROM quotas q WHERE q.namespace = n.namespace) AS quota
  FROM (
    SELECT namespace FROM namespace_usage WHERE namespace > ?
    UNION SELECT namespace FROM quotas WHERE namespace > ?
  ) n ORDER BY n.namespace LIMIT ?`
