import type { Cleaner } from './cleaner.ts'
import { queueDeletion } from './blob-review.ts'

/** As many as S3 takes in one request. */
const batchSize = 1000

const findUser = `SELECT 1 AS one WHERE EXISTS (SELECT 1 FROM blobs WHERE object_key = ?)
  OR EXISTS (SELECT 1 FROM uploads WHERE state LIKE ?)`

/** Deletes the objects that no row names any more. How many that were. A crash leaves them queued. */
export async function deleteObjects(cleaner: Cleaner, signal?: AbortSignal): Promise<number> {
  const { database, objects } = cleaner
  for (let total = 0; ;) {
    signal?.throwIfAborted()
    // Taken for forgotten while it was on its way to its row.
    await database.run(`DELETE FROM object_deletions WHERE EXISTS
      (SELECT 1 FROM blobs WHERE blobs.object_key = object_deletions.object_key)`)
    const rows = await database.all<{ readonly object_key: string }>(
      'SELECT object_key FROM object_deletions WHERE queued_at <= ? ORDER BY queued_at LIMIT ?',
      [cleaner.now() - cleaner.options.readMs, batchSize],
    )
    if (rows.length === 0) return total
    await objects.delete(rows.map(({ object_key }) => object_key))
    await database.transaction(
      async (transaction) => {
        for (const { object_key } of rows)
          await transaction.run('DELETE FROM object_deletions WHERE object_key = ?', [object_key])
      },
      // What comes back is deleted once more.
      { isDurable: false },
    )
    total += rows.length
  }
}

/**
 * Queues the objects that are in the store and unknown to the database: what a crash left between the two. Young ones may be an
 * upload that is just being finished, and so may one that an upload names: S3 dates an object back to when its upload began.
 */
export async function findOrphans(cleaner: Cleaner, signal?: AbortSignal): Promise<number> {
  const { database, objects, options } = cleaner
  const before = cleaner.now() - options.orphanMs
  let total = 0
  for await (const { key, modifiedAt } of objects.list()) {
    signal?.throwIfAborted()
    if (modifiedAt >= before) continue
    // In one question: an upload becomes a blob in one step.
    if ((await database.get(findUser, [key, `%"key":"${key}"%`])) !== undefined) continue
    await database.transaction((transaction) => queueDeletion(transaction, key, cleaner.now()))
    total += 1
  }
  return total + (await forgetUnfinished(cleaner, signal))
}

/** Gives up what was begun by a process that was killed before a row named it. How many that were. */
async function forgetUnfinished(cleaner: Cleaner, signal?: AbortSignal): Promise<number> {
  const { database, objects, options } = cleaner
  // Who still writes to one makes it young.
  const before = cleaner.now() - Math.max(options.uploadsMs, options.orphanMs)
  let total = 0
  for await (const { key, modifiedAt } of objects.listUnfinished?.() ?? []) {
    signal?.throwIfAborted()
    if (modifiedAt >= before) continue
    if ((await database.get(findUser, [key, `%"key":"${key}"%`])) !== undefined) continue
    await objects.abort({ key, size: 0, detail: {} })
    total += 1
  }
  return total
}
