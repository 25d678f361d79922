import type { ChangeListener } from '../change.ts'
import type { Transaction } from '../database/database.ts'
import { checkQuota } from './quotas.ts'

/** So many rows hold one namespace's sum where several write at once. */
const shards = 16

/**
 * Counts the bytes of each namespace, in the transaction that changes them: content that several of its repositories hold counts
 * once. What a quota does not allow is refused.
 */
export function createUsageListener(random: () => number = Math.random): ChangeListener {
  /** One row a transaction: two that take several in different orders would wait for each other. */
  const chosen = new WeakMap<Transaction, number>()

  function shardOf(transaction: Transaction): number {
    if (transaction.engine === 'sqlite') return 0
    const shard = chosen.get(transaction) ?? Math.floor(random() * shards)
    chosen.set(transaction, shard)
    return shard
  }

  return async (transaction, change) => {
    switch (change.kind) {
      case 'blob-linked':
      case 'manifest-put': {
        if (!change.isNew) return
        const { namespace } = change.repository
        const { digest, size } = change
        const isFirst = await hold(transaction, namespace, { digest, size })
        if (!isFirst) return
        await addUsage(transaction, { namespace, shard: shardOf(transaction), bytes: size })
        return checkQuota(transaction, namespace)
      }
      case 'blob-unlinked':
      case 'manifest-deleted': {
        const { namespace } = change.repository
        const bytes = await release(transaction, namespace, change.digest)
        if (bytes === undefined) return
        return addUsage(transaction, { namespace, shard: shardOf(transaction), bytes: -bytes })
      }
      default:
        return
    }
  }
}

/** Whether the namespace did not have it before. */
async function hold(
  transaction: Transaction,
  namespace: string,
  { digest, size }: { readonly digest: string; readonly size: number },
): Promise<boolean> {
  const row = await transaction.get<{ readonly holders: number }>(
    `INSERT INTO namespace_content (namespace, digest, size, holders) VALUES (?, ?, ?, 1)
      ON CONFLICT (namespace, digest) DO UPDATE SET holders = namespace_content.holders + 1
      RETURNING holders`,
    [namespace, digest, size],
  )
  return row?.holders === 1
}

/** The bytes that the namespace has no more; undefined when another of its repositories has them. */
async function release(
  transaction: Transaction,
  namespace: string,
  digest: string,
): Promise<number | undefined> {
  const row = await transaction.get<{ readonly holders: number; readonly size: number }>(
    `UPDATE namespace_content SET holders = holders - 1 WHERE namespace = ? AND digest = ?
      RETURNING holders, size`,
    [namespace, digest],
  )
  if (row === undefined || row.holders > 0) return undefined
  await transaction.run('DELETE FROM namespace_content WHERE namespace = ? AND digest = ?', [
    namespace,
    digest,
  ])
  return row.size
}

export async function addUsage(
  transaction: Transaction,
  {
    namespace,
    shard,
    bytes,
  }: { readonly namespace: string; readonly shard: number; readonly bytes: number },
): Promise<void> {
  await transaction.run(
    `INSERT INTO namespace_usage (namespace, shard, bytes) VALUES (?, ?, ?)
      ON CONFLICT (namespace, shard) DO UPDATE SET bytes = namespace_usage.bytes + excluded.bytes`,
    [namespace, shard, bytes],
  )
}
