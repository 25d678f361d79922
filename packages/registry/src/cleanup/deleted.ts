import type { Digest } from '@katman/oci'
import type { ChangeListener } from '../change.ts'
import type { Database, Queries } from '../database/database.ts'
import { enqueueReview } from '../metadata/reviews.ts'
import type { CleanupTimes, Cleaner } from './cleaner.ts'
import { contentOf } from './review-listener.ts'

/** A manifest that was deleted and can come back. */
export interface DeletedManifest {
  readonly repository: string
  readonly digest: Digest
  readonly mediaType: string
  readonly size: number
  /** Who deleted it; null for clean-up itself and for anybody without an account. */
  readonly actor: string | null
  readonly deletedAt: number
  readonly keepUntil: number
}

/** What a tag stood for, and from when it did no more. */
export interface TagChange {
  readonly repository: string
  readonly tag: string
  /** What it stood for from then on; null when it was deleted. */
  readonly digest: Digest | null
  readonly previous: Digest | null
  readonly actor: string | null
  readonly at: number
}

/** Keeps what is deleted, and what tags stood for, for the time in which it can come back. */
export function createDeletedListener({ undeleteMs }: CleanupTimes): ChangeListener {
  return async (transaction, change) => {
    const { id } = change.repository
    const actor = change.actor ?? null
    switch (change.kind) {
      case 'manifest-deleted': {
        if (undeleteMs === 0) return
        const { digest, mediaType, bytes, at } = change
        await transaction.run(insertDeleted, [
          id,
          digest,
          mediaType,
          bytes,
          actor,
          at,
          at + undeleteMs,
        ])
        for (const blob of contentOf(change).blobs)
          await transaction.run(insertDeletedBlob, [id, digest, blob])
        return
      }
      case 'manifest-put':
        if (change.isNew) await forget(transaction, id, change.digest)
        return
      case 'tag-set':
        if (undeleteMs === 0 || change.previous === change.digest) return
        await transaction.run(insertTagChange, [
          id,
          change.tag,
          change.digest,
          change.previous ?? null,
          actor,
          change.at,
        ])
        return
      case 'tag-deleted':
        if (undeleteMs === 0) return
        await transaction.run(insertTagChange, [
          id,
          change.tag,
          null,
          change.digest,
          actor,
          change.at,
        ])
        return
      default:
        return
    }
  }
}

export interface DeletedPage {
  readonly repository: string
  readonly now: number
  readonly limit: number
}

/** What of a repository can come back, the last deleted first. */
export async function listDeleted(
  queries: Queries,
  { repository, now, limit }: DeletedPage,
): Promise<readonly DeletedManifest[]> {
  return queries.all<DeletedManifest>(
    `SELECT r.name AS repository, d.digest, d.media_type AS "mediaType", LENGTH(d.bytes) AS size, d.actor,
        d.deleted_at AS "deletedAt", d.keep_until AS "keepUntil"
      FROM deleted_manifests d JOIN repositories r ON r.id = d.repository_id
      WHERE r.name = ? AND d.keep_until > ? ORDER BY d.deleted_at DESC, d.digest LIMIT ?`,
    [repository, now, limit],
  )
}

/** The bytes of a manifest that can come back. */
export function findDeleted(
  queries: Queries,
  {
    repository,
    digest,
    now,
  }: { readonly repository: string; readonly digest: string; readonly now: number },
): Promise<{ readonly mediaType: string; readonly bytes: Uint8Array } | undefined> {
  return queries.get(
    `SELECT d.media_type AS "mediaType", d.bytes FROM deleted_manifests d
      JOIN repositories r ON r.id = d.repository_id
      WHERE r.name = ? AND d.digest = ? AND d.keep_until > ?`,
    [repository, digest, now],
  )
}

/** How the tags of a repository moved, the last first. */
export function listTagChanges(
  queries: Queries,
  {
    repository,
    tag,
    limit,
  }: { readonly repository: string; readonly tag?: string | undefined; readonly limit: number },
): Promise<readonly TagChange[]> {
  return queries.all<TagChange>(
    `SELECT r.name AS repository, h.name AS tag, h.digest, h.previous, h.actor, h.at
      FROM tag_history h JOIN repositories r ON r.id = h.repository_id
      WHERE r.name = ?${tag === undefined ? '' : ' AND h.name = ?'} ORDER BY h.id DESC LIMIT ?`,
    [repository, ...(tag === undefined ? [] : [tag]), limit],
  )
}

/** Lets go of what can come back no more. How many manifests that were. */
export async function purgeDeleted(
  { database, now, options }: Pick<Cleaner, 'database' | 'now' | 'options'>,
  signal?: AbortSignal,
): Promise<number> {
  await database.run('DELETE FROM tag_history WHERE at < ?', [now() - options.undeleteMs])
  for (let total = 0; ;) {
    signal?.throwIfAborted()
    const rows = await database.all<DeletedKey>(
      'SELECT repository_id, digest FROM deleted_manifests WHERE keep_until <= ? ORDER BY keep_until LIMIT 100',
      [now()],
    )
    if (rows.length === 0) return total
    await purge(database, rows, { keptUntil: now(), now: now() })
    total += rows.length
  }
}

/** Lets go of a deleted manifest before its time. Whether there was one. */
export async function purgeOne(
  database: Database,
  {
    repository,
    digest,
    now,
  }: { readonly repository: string; readonly digest: string; readonly now: number },
): Promise<boolean> {
  const row = await database.get<DeletedKey>(
    `SELECT d.repository_id, d.digest FROM deleted_manifests d JOIN repositories r ON r.id = d.repository_id
      WHERE r.name = ? AND d.digest = ?`,
    [repository, digest],
  )
  if (row === undefined) return false
  await purge(database, [row], { keptUntil: Number.MAX_SAFE_INTEGER, now })
  return true
}

/** Not what was deleted once more meanwhile and is kept for longer than `keptUntil`. */
async function purge(
  database: Database,
  rows: readonly DeletedKey[],
  { keptUntil, now: reviewAfter }: { readonly keptUntil: number; readonly now: number },
): Promise<void> {
  await database.transaction(async (transaction) => {
    for (const { repository_id, digest } of rows) {
      for (const blob of await forget(transaction, repository_id, digest, keptUntil)) {
        await enqueueReview(transaction, {
          kind: 'link',
          repositoryId: repository_id,
          digest: blob,
          reviewAfter,
          event: 'undelete-over',
        })
      }
    }
  })
}

/** The blobs that are kept for it no more. */
async function forget(
  queries: Queries,
  repositoryId: number,
  digest: string,
  keptUntil = Number.MAX_SAFE_INTEGER,
): Promise<readonly string[]> {
  const key = [repositoryId, digest]
  const forgotten = await queries.run(
    'DELETE FROM deleted_manifests WHERE repository_id = ? AND digest = ? AND keep_until <= ?',
    [...key, keptUntil],
  )
  if (forgotten === 0) return []
  const rows = await queries.all<{ readonly digest: string }>(
    'DELETE FROM deleted_manifest_blobs WHERE repository_id = ? AND manifest = ? RETURNING digest',
    key,
  )
  return rows.map((row) => row.digest).toSorted()
}

interface DeletedKey {
  readonly repository_id: number
  readonly digest: string
}

const insertDeleted = `INSERT INTO deleted_manifests
    (repository_id, digest, media_type, bytes, actor, deleted_at, keep_until) VALUES (?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (repository_id, digest) DO UPDATE SET
    actor = excluded.actor, deleted_at = excluded.deleted_at, keep_until = excluded.keep_until`

const insertDeletedBlob = `INSERT INTO deleted_manifest_blobs (repository_id, manifest, digest) VALUES (?, ?, ?)
  ON CONFLICT (repository_id, manifest, digest) DO NOTHING`

const insertTagChange = `INSERT INTO tag_history (repository_id, name, digest, previous, actor, at)
  VALUES (?, ?, ?, ?, ?, ?)`
