import type { Digest } from '@katman/oci'
import type { Repository } from '../change.ts'
import type { Transaction } from '../database/database.ts'
import { removeManifest } from '../metadata/manifests.ts'
import { type Cleaner, lockClause } from './cleaner.ts'

/**
 * Takes a manifest out of its repository when nothing uses it: no tag, no index, no subject that is there. What it was
 * an index of, and what referred to it, goes with it by the same rule. How many went.
 */
export async function removeUnused(
  cleaner: Cleaner,
  transaction: Transaction,
  repository: Repository,
  first: Digest,
): Promise<number> {
  const { areReferrersRemoved } = cleaner.options
  let count = 0
  const waiting = [first]
  for (let digest = waiting.shift(); digest !== undefined; digest = waiting.shift()) {
    const key = [repository.id, digest]
    // Whoever tags it or names it in an index holds or changes this row: they are first, or they find nothing.
    const manifest = await transaction.get<ManifestRow>(
      `SELECT subject, bytes FROM manifests WHERE repository_id = ? AND digest = ?${lockClause(transaction.engine)}`,
      key,
    )
    if (manifest === undefined || (await isUsed(transaction, key))) continue
    if (manifest.subject !== null) {
      if (!areReferrersRemoved) continue
      // When the subject goes, this is looked at again.
      const subject = [repository.id, manifest.subject]
      if ((await transaction.get(manifestThere, subject)) !== undefined) continue
    }
    const removed = await removeManifest(transaction, repository.id, digest)
    if (removed === undefined) continue
    count += 1
    await cleaner.tell(transaction, {
      kind: 'manifest-deleted',
      repository,
      actor: undefined,
      at: cleaner.now(),
      digest,
      mediaType: removed.mediaType,
      size: removed.size,
      bytes: manifest.bytes,
    })
    const referrers = await transaction.all<{ readonly digest: Digest }>(
      'SELECT digest FROM manifests WHERE repository_id = ? AND subject = ? ORDER BY digest',
      key,
    )
    waiting.push(...removed.children, ...referrers.map((row) => row.digest))
  }
  return count
}

async function isUsed(
  transaction: Transaction,
  key: readonly (string | number)[],
): Promise<boolean> {
  return (await transaction.get(user, [...key, ...key])) !== undefined
}

interface ManifestRow {
  readonly subject: string | null
  readonly bytes: Uint8Array
}

const manifestThere = 'SELECT 1 AS one FROM manifests WHERE repository_id = ? AND digest = ?'

const user = `SELECT 1 AS one FROM tags WHERE repository_id = ? AND digest = ?
  UNION ALL
  SELECT 1 AS one FROM manifest_children WHERE repository_id = ? AND child = ?
  LIMIT 1`
