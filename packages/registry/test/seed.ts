import { createHash } from 'node:crypto'
import { type Digest, mediaTypes, parseDigest } from '@katman/oci'
import type { Change, ChangeListener, Database, Repository, Transaction } from '../src/index.ts'

/** Without what `Change` has for each kind. */
type Told = Change extends infer One
  ? One extends Change
    ? Omit<One, 'repository' | 'actor' | 'at'>
    : never
  : never

/** Rows as pushes would make them, told to listeners as pushes are. */
export interface Seed {
  repository(name: string): Promise<Repository>
  /** An image of one layer of `size` bytes for a platform, tagged when a tag is given. */
  image(
    repository: Repository,
    options?: {
      readonly tag?: string
      readonly platform?: Readonly<Record<string, string>>
      readonly size?: number
    },
  ): Promise<Digest>
  index(repository: Repository, children: readonly object[], tag?: string): Promise<Digest>
  tag(repository: Repository, tag: string, digest: Digest): Promise<void>
  untag(repository: Repository, tag: string): Promise<void>
  /** The clock; a change is made at this time. */
  now: number
  actor: string | undefined
}

export function createSeed(database: Database, listeners: readonly ChangeListener[]): Seed {
  const tell = async (
    transaction: Transaction,
    repository: Repository,
    change: Told,
  ): Promise<void> => {
    const whole: Change = { ...change, repository, actor: seed.actor, at: seed.now }
    for (const listener of listeners) await listener(transaction, whole)
  }
  const put = async (
    transaction: Transaction,
    repository: Repository,
    document: object,
    mediaType: string,
  ): Promise<Digest> => {
    const bytes = Buffer.from(JSON.stringify(document))
    const digest = digestOf(bytes)
    const size = bytes.byteLength
    await transaction.run(
      `INSERT INTO manifests (repository_id, digest, media_type, size, bytes, created_at) VALUES (?, ?, ?, ?, ?, ?)`,
      [repository.id, digest, mediaType, size, bytes, seed.now],
    )
    await tell(transaction, repository, {
      kind: 'manifest-put',
      digest,
      mediaType,
      artifactType: undefined,
      subject: undefined,
      size,
      isNew: true,
    })
    return digest
  }
  const setTag = async (
    transaction: Transaction,
    repository: Repository,
    tag: string,
    digest: Digest,
  ): Promise<void> => {
    const before = await transaction.get<{ readonly digest: Digest }>(
      'SELECT digest FROM tags WHERE repository_id = ? AND name = ?',
      [repository.id, tag],
    )
    await transaction.run(
      `INSERT INTO tags (repository_id, name, digest, created_at, updated_at) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (repository_id, name) DO UPDATE SET digest = excluded.digest, updated_at = excluded.updated_at`,
      [repository.id, tag, digest, seed.now, seed.now],
    )
    await tell(transaction, repository, {
      kind: 'tag-set',
      tag,
      digest,
      previous: before?.digest,
    })
  }
  const seed: Seed = {
    now: Date.UTC(2026, 0, 1),
    actor: 'ada',
    repository(name) {
      const namespace = name.includes('/') ? (name.split('/')[0] ?? '') : 'library'
      return database.transaction(async (transaction) => {
        const row = await transaction.get<{ readonly id: number }>(
          'INSERT INTO repositories (name, namespace, created_at) VALUES (?, ?, ?) RETURNING id',
          [name, namespace, seed.now],
        )
        const repository = { id: row?.id ?? 0, name, namespace }
        await tell(transaction, repository, { kind: 'repository-created' })
        return repository
      })
    },
    image(repository, { tag, platform = {}, size = 1000 } = {}) {
      const config = Buffer.from(JSON.stringify({ ...platform, of: `${repository.name}/${tag}` }))
      const configDigest = digestOf(config)
      return database.transaction(async (transaction) => {
        await transaction.run(
          `INSERT INTO blobs (digest, size, data, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (digest) DO NOTHING`,
          [configDigest, config.byteLength, config, seed.now],
        )
        await transaction.run(
          'INSERT INTO repository_blobs (repository_id, digest, linked_at, lease_until) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
          [repository.id, configDigest, seed.now, seed.now],
        )
        const document = {
          schemaVersion: 2,
          mediaType: mediaTypes.ociManifest,
          config: {
            mediaType: mediaTypes.ociConfig,
            digest: configDigest,
            size: config.byteLength,
          },
          layers: [{ mediaType: mediaTypes.ociLayer, digest: digestOf(`${size}`), size }],
        }
        const digest = await put(transaction, repository, document, mediaTypes.ociManifest)
        if (tag !== undefined) await setTag(transaction, repository, tag, digest)
        return digest
      })
    },
    index(repository, manifests, tag) {
      return database.transaction(async (transaction) => {
        const document = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }
        const digest = await put(transaction, repository, document, mediaTypes.ociIndex)
        if (tag !== undefined) await setTag(transaction, repository, tag, digest)
        return digest
      })
    },
    tag(repository, tag, digest) {
      return database.transaction((transaction) => setTag(transaction, repository, tag, digest))
    },
    untag(repository, tag) {
      return database.transaction(async (transaction) => {
        const row = await transaction.get<{ readonly digest: Digest }>(
          'DELETE FROM tags WHERE repository_id = ? AND name = ? RETURNING digest',
          [repository.id, tag],
        )
        if (row !== undefined)
          await tell(transaction, repository, { kind: 'tag-deleted', tag, digest: row.digest })
      })
    },
  }
  return seed
}

function digestOf(content: string | Uint8Array): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(content).digest('hex')}`)
}
