import type { Descriptor, Digest } from '@katman/oci'
import type { Repository } from '../change.ts'
import type { Queries, Transaction } from '../database/database.ts'

/** A manifest as a repository has it. */
export interface StoredManifest {
  readonly repository: Repository
  readonly digest: Digest
  readonly mediaType: string
  /** Exactly what was pushed. */
  readonly bytes: Uint8Array
}

interface ManifestRow {
  readonly id: number
  readonly name: string
  readonly namespace: string
  readonly digest: Digest
  readonly media_type: string
  readonly bytes: Uint8Array
}

const columns = 'r.id, r.name, r.namespace, m.digest, m.media_type, m.bytes'
const byDigest = `SELECT ${columns} FROM repositories r JOIN manifests m ON m.repository_id = r.id
  WHERE r.name = ? AND m.digest = ?`
const byTag = `SELECT ${columns} FROM repositories r JOIN tags t ON t.repository_id = r.id
  JOIN manifests m ON m.repository_id = t.repository_id AND m.digest = t.digest WHERE r.name = ? AND t.name = ?`

export function findManifest(
  queries: Queries,
  repository: string,
  digest: Digest,
): Promise<StoredManifest | undefined> {
  return find(queries, byDigest, repository, digest)
}

export function findManifestByTag(
  queries: Queries,
  repository: string,
  tag: string,
): Promise<StoredManifest | undefined> {
  return find(queries, byTag, repository, tag)
}

async function find(
  queries: Queries,
  sql: string,
  repository: string,
  reference: string,
): Promise<StoredManifest | undefined> {
  const row = await queries.get<ManifestRow>(sql, [repository, reference])
  if (row === undefined) return undefined
  const { id, name, namespace, digest, media_type: mediaType, bytes } = row
  return { repository: { id, name, namespace }, digest, mediaType, bytes }
}

/** What is known of a manifest without its bytes. */
export interface ManifestFacts {
  readonly mediaType: string
  readonly artifactType: string | undefined
  readonly subject: Digest | undefined
  readonly size: number
}

export async function findManifestFacts(
  queries: Queries,
  repositoryId: number,
  digest: Digest,
): Promise<ManifestFacts | undefined> {
  const row = await queries.get<{
    readonly media_type: string
    readonly artifact_type: string | null
    readonly subject: Digest | null
    readonly size: number
  }>(
    'SELECT media_type, artifact_type, subject, size FROM manifests WHERE repository_id = ? AND digest = ?',
    [repositoryId, digest],
  )
  return (
    row && {
      mediaType: row.media_type,
      artifactType: row.artifact_type ?? undefined,
      subject: row.subject ?? undefined,
      size: row.size,
    }
  )
}

/** So many digests are asked for at once. */
const batchSize = 16
const manyDigests = `SELECT digest FROM manifests WHERE repository_id = ? AND digest IN (${Array(batchSize).fill('?').join(', ')})`

/**
 * Those of the manifests that a repository has. To the end of the transaction they stay; `alone`: and nobody else can claim
 * them.
 */
export async function claimManifests(
  transaction: Transaction,
  repositoryId: number,
  digests: readonly Digest[],
  { alone = false }: { readonly alone?: boolean } = {},
): Promise<ReadonlySet<Digest>> {
  const found = new Set<Digest>()
  const wanted = alone ? ' FOR UPDATE' : ' FOR SHARE'
  // SQLite has one writer.
  const lock = transaction.engine === 'postgres' ? wanted : ''
  for (let at = 0; at < digests.length; at += batchSize) {
    const batch = digests.slice(at, at + batchSize)
    const [first] = batch
    if (first === undefined) break
    // One text for every number of digests: the rest repeats the first.
    const padded = [...batch, ...Array<Digest>(batchSize - batch.length).fill(first)]
    const rows = await transaction.all<{ readonly digest: Digest }>(`${manyDigests}${lock}`, [
      repositoryId,
      ...padded,
    ])
    for (const { digest } of rows) found.add(digest)
  }
  return found
}

export interface NewManifest extends ManifestFacts {
  readonly repositoryId: number
  readonly digest: Digest
  readonly bytes: Uint8Array
  /** How a list of referrers shows it; undefined without a subject. */
  readonly descriptor: Descriptor | undefined
  /** What it names: config and layers of a manifest, and what else an index lists, whether they are there or not. */
  readonly blobs: readonly { readonly digest: Digest; readonly size: number }[]
  /** The manifests that an index lists. */
  readonly children: readonly Digest[]
  readonly now: number
}

/** Adds a manifest and what it names. False when it was there. */
export async function addManifest(
  transaction: Transaction,
  manifest: NewManifest,
): Promise<boolean> {
  const { repositoryId, digest } = manifest
  const inserted = await transaction.run(
    `INSERT INTO manifests
       (repository_id, digest, media_type, artifact_type, subject, size, created_at, descriptor, bytes)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (repository_id, digest) DO NOTHING`,
    [
      repositoryId,
      digest,
      manifest.mediaType,
      manifest.artifactType ?? null,
      manifest.subject ?? null,
      manifest.size,
      manifest.now,
      manifest.descriptor === undefined ? null : JSON.stringify(manifest.descriptor),
      manifest.bytes,
    ],
  )
  if (inserted === 0) return false
  for (const blob of manifest.blobs) {
    await transaction.run(
      `INSERT INTO manifest_blobs (repository_id, manifest, digest, size) VALUES (?, ?, ?, ?)
       ON CONFLICT (repository_id, manifest, digest) DO NOTHING`,
      [repositoryId, digest, blob.digest, blob.size],
    )
  }
  for (const child of manifest.children) {
    await transaction.run(
      `INSERT INTO manifest_children (repository_id, parent, child) VALUES (?, ?, ?)
       ON CONFLICT (repository_id, parent, child) DO NOTHING`,
      [repositoryId, digest, child],
    )
  }
  return true
}

/** What a removed manifest was and what it named. */
export interface RemovedManifest extends ManifestFacts {
  readonly blobs: readonly Digest[]
  readonly children: readonly Digest[]
}

/** Removes a manifest and what it named, not its tags. Undefined when there was none. */
export async function removeManifest(
  transaction: Transaction,
  repositoryId: number,
  digest: Digest,
): Promise<RemovedManifest | undefined> {
  const facts = await findManifestFacts(transaction, repositoryId, digest)
  if (facts === undefined) return undefined
  const key = [repositoryId, digest]
  await transaction.run('DELETE FROM manifests WHERE repository_id = ? AND digest = ?', key)
  const blobs = await transaction.all<{ readonly digest: Digest }>(
    'DELETE FROM manifest_blobs WHERE repository_id = ? AND manifest = ? RETURNING digest',
    key,
  )
  const children = await transaction.all<{ readonly child: Digest }>(
    'DELETE FROM manifest_children WHERE repository_id = ? AND parent = ? RETURNING child',
    key,
  )
  return {
    ...facts,
    blobs: blobs.map((row) => row.digest),
    children: children.map((row) => row.child),
  }
}

export interface Referrers {
  readonly subject: Digest
  readonly artifactType: string | undefined
  /** After this digest. */
  readonly last: string
  readonly limit: number
}

/** The descriptors, as JSON, of at most `limit` manifests that name a subject, in the order of their digests. */
export function listReferrerDescriptors(
  queries: Queries,
  repositoryId: number,
  { subject, artifactType, last, limit }: Referrers,
): Promise<readonly { readonly digest: Digest; readonly descriptor: string }[]> {
  return artifactType === undefined
    ? queries.all(
        `SELECT digest, descriptor FROM manifests
         WHERE repository_id = ? AND subject = ? AND digest > ? ORDER BY digest LIMIT ?`,
        [repositoryId, subject, last, limit],
      )
    : queries.all(
        `SELECT digest, descriptor FROM manifests
         WHERE repository_id = ? AND subject = ? AND artifact_type = ? AND digest > ? ORDER BY digest LIMIT ?`,
        [repositoryId, subject, artifactType, last, limit],
      )
}
