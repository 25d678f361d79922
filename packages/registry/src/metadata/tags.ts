import type { Digest } from '@katman/oci'
import type { Queries, Transaction } from '../database/database.ts'

const oneTag = 'SELECT digest FROM tags WHERE repository_id = ? AND name = ?'

/** Lets a tag stand for a manifest. What it stood for before; undefined for a new tag. */
export async function setTag(
  transaction: Transaction,
  {
    repositoryId,
    tag,
    digest,
    now,
  }: {
    readonly repositoryId: number
    readonly tag: string
    readonly digest: Digest
    readonly now: number
  },
): Promise<Digest | undefined> {
  const lock = transaction.engine === 'postgres' ? ' FOR UPDATE' : ''
  const before = await transaction.get<{ readonly digest: Digest }>(`${oneTag}${lock}`, [
    repositoryId,
    tag,
  ])
  await transaction.run(
    `INSERT INTO tags (repository_id, name, digest, created_at, updated_at) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (repository_id, name) DO UPDATE SET digest = excluded.digest, updated_at = excluded.updated_at`,
    [repositoryId, tag, digest, now, now],
  )
  return before?.digest
}

export async function findTag(
  queries: Queries,
  repositoryId: number,
  tag: string,
): Promise<Digest | undefined> {
  const row = await queries.get<{ readonly digest: Digest }>(oneTag, [repositoryId, tag])
  return row?.digest
}

/** What it stood for; undefined when there was no such tag. */
export async function deleteTag(
  transaction: Transaction,
  repositoryId: number,
  tag: string,
): Promise<Digest | undefined> {
  const row = await transaction.get<{ readonly digest: Digest }>(
    'DELETE FROM tags WHERE repository_id = ? AND name = ? RETURNING digest',
    [repositoryId, tag],
  )
  return row?.digest
}

/** At most `limit` tags of a repository, sorted, after `last`. */
export async function listTagNames(
  queries: Queries,
  repositoryId: number,
  { last, limit }: { readonly last: string; readonly limit: number },
): Promise<readonly string[]> {
  const rows = await queries.all<{ readonly name: string }>(
    'SELECT name FROM tags WHERE repository_id = ? AND name > ? ORDER BY name LIMIT ?',
    [repositoryId, last, limit],
  )
  return rows.map(({ name }) => name)
}

/** The tags that stand for a manifest, sorted. */
export async function tagsOf(
  queries: Queries,
  repositoryId: number,
  digest: Digest,
): Promise<readonly string[]> {
  const rows = await queries.all<{ readonly name: string }>(
    'SELECT name FROM tags WHERE repository_id = ? AND digest = ? ORDER BY name',
    [repositoryId, digest],
  )
  return rows.map(({ name }) => name)
}
