import { type Digest, KatmanError } from '@katman/oci'
import type { Repository } from '../change.ts'
import type { Queries, Transaction } from '../database/database.ts'

/** A blob as a repository has it. */
export interface Blob {
  readonly repository: Repository
  readonly size: number
  readonly isCondemned: boolean
  /** Until when it stays without a manifest that names it, in milliseconds since 1970. */
  readonly leaseUntil: number
}

/** Where the bytes of a blob are: an object, or the database itself for a small one. */
export type BlobContent = { readonly key: string } | { readonly data: Uint8Array }

interface BlobRow {
  readonly id: number
  readonly name: string
  readonly namespace: string
  readonly size: number
  readonly state: string
  readonly lease_until: number
  readonly object_key: string | null
  readonly data: Uint8Array | null
}

const columns = 'r.id, r.name, r.namespace, b.size, b.state, l.lease_until'
const tables = `repositories r JOIN repository_blobs l ON l.repository_id = r.id JOIN blobs b ON b.digest = l.digest
  WHERE r.name = ? AND l.digest = ? AND b.state IN ('live', 'condemned')`

/** The blob, when the repository may read it. */
export async function findBlob(
  queries: Queries,
  repository: string,
  digest: Digest,
): Promise<Blob | undefined> {
  const row = await queries.get<BlobRow>(`SELECT ${columns} FROM ${tables}`, [repository, digest])
  return row && blobOf(row)
}

/** The same, and where its bytes are. */
export async function openBlob(
  queries: Queries,
  repository: string,
  digest: Digest,
): Promise<(Blob & { readonly content: BlobContent }) | undefined> {
  const row = await queries.get<BlobRow>(`SELECT ${columns}, b.object_key, b.data FROM ${tables}`, [
    repository,
    digest,
  ])
  return row && { ...blobOf(row), content: contentOf(row) }
}

function blobOf(row: BlobRow): Blob {
  return {
    repository: { id: row.id, name: row.name, namespace: row.namespace },
    size: row.size,
    isCondemned: row.state === 'condemned',
    leaseUntil: row.lease_until,
  }
}

function contentOf({ object_key, data }: Pick<BlobRow, 'object_key' | 'data'>): BlobContent {
  return object_key === null ? { data: data ?? new Uint8Array() } : { key: object_key }
}

export interface NewBlob {
  readonly digest: Digest
  readonly size: number
  readonly content: BlobContent
  readonly now: number
}

/**
 * Adds the content of a digest. When it is there already that one stays, comes alive again, and the caller's is not needed;
 * one that was found damaged is replaced.
 */
export async function addBlobContent(
  transaction: Transaction,
  { digest, size, content, now }: NewBlob,
): Promise<{ readonly isUsed: boolean; readonly replacedKey: string | undefined }> {
  const [key, data] = 'key' in content ? [content.key, null] : [null, content.data]
  // One that clean-up holds is waited for: then it is alive again, or gone and made anew.
  for (let tries = 0; tries < maxTries; tries++) {
    if ((await reviveBlob(transaction, digest)) === 1) {
      return { isUsed: false, replacedKey: undefined }
    }
    const inserted = await transaction.run(
      `INSERT INTO blobs (digest, size, object_key, data, created_at) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (digest) DO NOTHING`,
      [digest, size, key, data, now],
    )
    if (inserted === 1) return { isUsed: true, replacedKey: undefined }
    const damaged = await transaction.get<{ readonly object_key: string | null }>(
      "SELECT object_key FROM blobs WHERE digest = ? AND state = 'quarantined'",
      [digest],
    )
    const healed = await transaction.run(
      `UPDATE blobs SET state = 'live', condemned_at = NULL, size = ?, object_key = ?, data = ?
       WHERE digest = ? AND state = 'quarantined'`,
      [size, key, data, digest],
    )
    if (healed === 1) return { isUsed: true, replacedKey: damaged?.object_key ?? undefined }
  }
  throw new KatmanError('DATABASE_UNAVAILABLE', `the blob ${digest} is held by somebody else`, {
    hint: 'try again',
  })
}

/** More than two that want the same row at the same moment need. */
const maxTries = 20

/** Takes back that a blob is to be removed. Locks the row to the end of the transaction. How many there were, 0 or 1. */
export function reviveBlob(queries: Queries, digest: Digest): Promise<number> {
  return queries.run(
    `UPDATE blobs SET state = 'live', condemned_at = NULL WHERE digest = ? AND state IN ('live', 'condemned')`,
    [digest],
  )
}

export interface BlobLink {
  readonly repositoryId: number
  readonly digest: Digest
  readonly now: number
  readonly leaseUntil: number
}

/** Lets a repository read a blob, and keeps it until the lease ends. Whether the repository did not have it before. */
export async function linkBlob(
  transaction: Transaction,
  { repositoryId, digest, now, leaseUntil }: BlobLink,
): Promise<boolean> {
  // One that clean-up holds is waited for: then its lease is new, or it is gone and made anew.
  for (;;) {
    if (await extendLease(transaction, repositoryId, digest, leaseUntil)) return false
    const inserted = await transaction.run(
      `INSERT INTO repository_blobs (repository_id, digest, linked_at, lease_until) VALUES (?, ?, ?, ?)
       ON CONFLICT (repository_id, digest) DO NOTHING`,
      [repositoryId, digest, now, leaseUntil],
    )
    if (inserted === 1) return true
  }
}

/** Whether there is a link. */
export async function extendLease(
  queries: Queries,
  repositoryId: number,
  digest: Digest,
  leaseUntil: number,
): Promise<boolean> {
  const extended = await queries.run(
    `UPDATE repository_blobs SET lease_until = CASE WHEN lease_until < ? THEN ? ELSE lease_until END
     WHERE repository_id = ? AND digest = ?`,
    [leaseUntil, leaseUntil, repositoryId, digest],
  )
  return extended === 1
}

/** Whether there was a link. */
export async function unlinkBlob(
  transaction: Transaction,
  repositoryId: number,
  digest: Digest,
): Promise<boolean> {
  const removed = await transaction.run(
    'DELETE FROM repository_blobs WHERE repository_id = ? AND digest = ?',
    [repositoryId, digest],
  )
  return removed === 1
}

/** The names of at most `limit` repositories that may read a blob. */
export async function repositoriesWithBlob(
  queries: Queries,
  digest: Digest,
  limit: number,
): Promise<readonly string[]> {
  const rows = await queries.all<{ readonly name: string }>(
    `SELECT r.name FROM repository_blobs l JOIN repositories r ON r.id = l.repository_id
     WHERE l.digest = ? LIMIT ?`,
    [digest, limit],
  )
  return rows.map(({ name }) => name)
}

/** So many digests are asked for at once. */
const batchSize = 16
const manySizes = `SELECT l.digest, b.size, b.state FROM repository_blobs l JOIN blobs b ON b.digest = l.digest
  WHERE l.repository_id = ? AND b.state IN ('live', 'condemned') AND l.digest IN (${Array(batchSize).fill('?').join(', ')})`

/** The sizes of those blobs that a repository has. Condemned ones come alive again. */
export async function claimBlobs(
  transaction: Transaction,
  repositoryId: number,
  digests: readonly Digest[],
): Promise<ReadonlyMap<Digest, number>> {
  const sizes = new Map<Digest, number>()
  // Nobody removes a row meanwhile.
  const lock = transaction.engine === 'postgres' ? ' FOR SHARE' : ''
  for (let at = 0; at < digests.length; at += batchSize) {
    const batch = digests.slice(at, at + batchSize)
    const [first] = batch
    if (first === undefined) break
    // One text for every number of digests: the rest repeats the first.
    const padded = [...batch, ...Array<Digest>(batchSize - batch.length).fill(first)]
    const rows = await transaction.all<{
      readonly digest: Digest
      readonly size: number
      readonly state: string
    }>(`${manySizes}${lock}`, [repositoryId, ...padded])
    for (const { digest, size, state } of rows) {
      sizes.set(digest, size)
      if (state === 'condemned') await reviveBlob(transaction, digest)
    }
  }
  return sizes
}
