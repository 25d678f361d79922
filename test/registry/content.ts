import { createHash, randomUUID } from 'node:crypto'
import { type Digest, parseDigest } from '@katman/oci'
import type { RegistryStorage, Transaction } from '@katman/registry'

/** What a test puts into a registry behind its back: also what no client could push. */
export interface UncheckedManifest {
  readonly digest: Digest
  readonly mediaType: string
  readonly bytes: Uint8Array
}

export async function placeManifest(
  { database }: RegistryStorage,
  repository: string,
  { digest, mediaType, bytes }: UncheckedManifest,
  tags: readonly string[] = [],
): Promise<void> {
  await database.transaction(async (transaction) => {
    const id = await repositoryId(transaction, repository)
    await transaction.run(
      `INSERT INTO manifests (repository_id, digest, media_type, size, bytes, created_at)
       VALUES (?, ?, ?, ?, ?, 0) ON CONFLICT (repository_id, digest) DO NOTHING`,
      [id, digest, mediaType, bytes.byteLength, bytes],
    )
  })
  for (const tag of tags) await placeTag({ database }, repository, tag, digest)
}

export async function placeTag(
  { database }: Pick<RegistryStorage, 'database'>,
  repository: string,
  tag: string,
  digest: Digest,
): Promise<void> {
  await database.transaction(async (transaction) => {
    await transaction.run(
      `INSERT INTO tags (repository_id, name, digest, created_at, updated_at) VALUES (?, ?, ?, 0, 0)
       ON CONFLICT (repository_id, name) DO UPDATE SET digest = excluded.digest`,
      [await repositoryId(transaction, repository), tag, digest],
    )
  })
}

/** Its digest is right. */
export async function placeBlob(
  { database, objects }: RegistryStorage,
  repository: string,
  bytes: Uint8Array,
): Promise<Digest> {
  const digest = parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
  async function* all(): AsyncIterable<Uint8Array> {
    yield bytes
  }
  const { failure, upload } = await objects.append(await objects.begin(randomUUID()), all())
  if (failure !== undefined) throw failure
  await objects.finish(upload)
  await database.transaction(async (transaction) => {
    await transaction.run(
      `INSERT INTO blobs (digest, size, object_key, created_at) VALUES (?, ?, ?, 0)
       ON CONFLICT (digest) DO NOTHING`,
      [digest, bytes.byteLength, upload.key],
    )
    await transaction.run(
      `INSERT INTO repository_blobs (repository_id, digest, linked_at, lease_until) VALUES (?, ?, 0, 0)
       ON CONFLICT (repository_id, digest) DO NOTHING`,
      [await repositoryId(transaction, repository), digest],
    )
  })
  return digest
}

export async function manifestBytes(
  { database }: RegistryStorage,
  digest: Digest,
): Promise<Uint8Array> {
  const row = await database.get<{ readonly bytes: Uint8Array }>(
    'SELECT bytes FROM manifests WHERE digest = ?',
    [digest],
  )
  return row?.bytes ?? new Uint8Array()
}

/** What a tag stands for. */
export async function tagged(
  { database }: RegistryStorage,
  repository: string,
  tag: string,
): Promise<Digest | undefined> {
  const row = await database.get<{ readonly digest: Digest }>(
    `SELECT t.digest FROM tags t JOIN repositories r ON r.id = t.repository_id
     WHERE r.name = ? AND t.name = ?`,
    [repository, tag],
  )
  return row?.digest
}

/** The whole content of a blob; undefined when the repository has none. */
export async function blobContent(
  { database, objects }: RegistryStorage,
  repository: string,
  digest: Digest,
): Promise<Uint8Array | undefined> {
  const row = await database.get<{
    readonly size: number
    readonly object_key: string | null
    readonly data: Uint8Array | null
  }>(
    `SELECT b.size, b.object_key, b.data FROM blobs b JOIN repository_blobs l ON l.digest = b.digest
     JOIN repositories r ON r.id = l.repository_id WHERE r.name = ? AND b.digest = ?`,
    [repository, digest],
  )
  if (row === undefined) return undefined
  if (row.object_key === null) return row.data ?? new Uint8Array()
  return Buffer.concat(
    await Array.fromAsync(objects.open(row.object_key, { start: 0, end: row.size })),
  )
}

async function repositoryId(transaction: Transaction, name: string): Promise<number> {
  await transaction.run(
    `INSERT INTO repositories (name, namespace, created_at) VALUES (?, ?, 0)
     ON CONFLICT (name) DO NOTHING`,
    [name, name.split('/')[0] ?? ''],
  )
  const row = await transaction.get<{ readonly id: number }>(
    'SELECT id FROM repositories WHERE name = ?',
    [name],
  )
  return row?.id ?? 0
}
