import { createHash } from 'node:crypto'
import {
  childrenOf,
  type Descriptor,
  describeReferrer,
  type Digest,
  mediaTypes,
  parseDigest,
  parseManifest,
} from '@katman/oci'
import type { Change } from '../src/change.ts'
import { type Cleaner, type CleanupTimes, defaultTimes } from '../src/cleanup/cleaner.ts'
import { createDeletedListener } from '../src/cleanup/deleted.ts'
import { refuseMovedTags } from '../src/cleanup/immutable-tags.ts'
import { createReviewListener } from '../src/cleanup/review-listener.ts'
import { createUsageListener } from '../src/cleanup/usage.ts'
import { type Database, migrate, type Repository, type Transaction } from '../src/index.ts'
import { addBlobContent, linkBlob, openBlob, unlinkBlob } from '../src/metadata/blobs.ts'
import { addManifest, findManifest, removeManifest } from '../src/metadata/manifests.ts'
import { ensureRepository } from '../src/metadata/repositories.ts'
import { deleteTag, findTag, setTag, tagsOf } from '../src/metadata/tags.ts'
import { openMemoryObjects } from '../src/objects/memory-objects.ts'
import type { OpenDatabase } from './databases.ts'

/** A registry's content and what cleans it up, without a server: each step is one transaction. */
export interface World extends AsyncDisposable {
  readonly database: Database
  readonly cleaner: Cleaner
  readonly now: () => number
  /** Moves the clock forward. */
  wait(ms: number): void
  upload(repository: string, text: string): Promise<Descriptor>
  unlink(repository: string, digest: Digest): Promise<void>
  push(repository: string, manifest: NewImage): Promise<Digest>
  untag(repository: string, tag: string): Promise<void>
  remove(repository: string, digest: Digest): Promise<void>
  tag(repository: string, tag: string): Promise<Digest | undefined>
  hasManifest(repository: string, digest: Digest): Promise<boolean>
  hasBlob(repository: string, digest: Digest): Promise<boolean>
  /** The texts of all objects that are stored. */
  objectSizes(): Promise<readonly number[]>
}

interface NewImage {
  readonly tag?: string
  readonly layers?: readonly Descriptor[]
  readonly manifests?: readonly Digest[]
  readonly subject?: Digest
  /** Makes it different from others. */
  readonly note?: string
}

const leaseMs = 1000

export async function openWorld(
  open: OpenDatabase,
  times: Partial<CleanupTimes> = {},
): Promise<World> {
  const database = await open()
  await migrate(database)
  const objects = openMemoryObjects()
  const options: CleanupTimes = {
    ...defaultTimes,
    reviewAfterMs: 0,
    condemnedMs: 100,
    readMs: 0,
    ...times,
  }
  let time = 1_000_000
  const now = (): number => time
  const listeners = [
    refuseMovedTags,
    createUsageListener(),
    createDeletedListener(options),
    createReviewListener(options),
  ]
  const cleaner: Cleaner = {
    database,
    objects,
    now,
    options,
    warn: () => undefined,
    async tell(transaction, change) {
      for (const listener of listeners) await listener(transaction, change)
    },
  }

  function change<T>(
    name: string,
    work: (transaction: Transaction, repository: Repository) => Promise<T>,
  ): Promise<T> {
    return database.transaction(async (transaction) => {
      const { repository } = await ensureRepository(transaction, name, now())
      return work(transaction, repository)
    })
  }

  const tell = (transaction: Transaction, repository: Repository, kind: ChangeOf): Promise<void> =>
    cleaner.tell(transaction, { ...kind, repository, actor: 'anna', at: now() })

  async function untag(transaction: Transaction, repository: Repository, tag: string) {
    const digest = await deleteTag(transaction, repository.id, tag)
    if (digest !== undefined)
      await tell(transaction, repository, { kind: 'tag-deleted', tag, digest })
  }

  return {
    database,
    cleaner,
    now,
    wait(ms) {
      time += ms
    },
    async upload(name, text) {
      const bytes = Buffer.from(text)
      const digest = digestOf(bytes)
      const key = createHash('sha256').update(`${text}${Math.random()}`).digest('hex').slice(0, 32)
      const begun = await objects.begin(key)
      const { upload } = await objects.append(begun, single(bytes))
      await objects.finish(upload)
      const unneeded = await change(name, async (transaction, repository) => {
        const blob = { digest, size: bytes.byteLength, content: { key }, now: now() }
        const { isUsed, replacedKey } = await addBlobContent(transaction, blob)
        const isNew = await linkBlob(transaction, {
          repositoryId: repository.id,
          digest,
          now: now(),
          leaseUntil: now() + leaseMs,
        })
        const { size } = blob
        await tell(transaction, repository, {
          kind: 'blob-linked',
          digest,
          size,
          how: 'upload',
          isNew,
        })
        return isUsed ? replacedKey : key
      })
      if (unneeded !== undefined) await objects.delete([unneeded])
      return { mediaType: mediaTypes.ociLayer, digest, size: bytes.byteLength }
    },
    unlink: (name, digest) =>
      change(name, async (transaction, repository) => {
        await unlinkBlob(transaction, repository.id, digest)
        await tell(transaction, repository, { kind: 'blob-unlinked', digest, size: 0 })
      }),
    push: (name, image) =>
      change(name, async (transaction, repository) => {
        const { mediaType, bytes } = documentOf(image)
        const digest = digestOf(bytes)
        const document = parseManifest(bytes, mediaType)
        const facts = {
          mediaType,
          artifactType: undefined,
          subject: image.subject,
          size: bytes.byteLength,
        }
        const isNew = await addManifest(transaction, {
          ...facts,
          repositoryId: repository.id,
          digest,
          bytes,
          descriptor: describeReferrer({ mediaType, digest, size: bytes.byteLength }, document),
          blobs: document.kind === 'manifest' ? childrenOf(document) : (image.layers ?? []),
          children: image.manifests ?? [],
          now: now(),
        })
        await tell(transaction, repository, { kind: 'manifest-put', digest, ...facts, isNew })
        if (image.tag !== undefined) {
          const { tag } = image
          const put = { repositoryId: repository.id, tag, digest, now: now() }
          const previous = await setTag(transaction, put)
          await tell(transaction, repository, { kind: 'tag-set', tag, digest, previous })
        }
        return digest
      }),
    untag: (name, tag) =>
      change(name, (transaction, repository) => untag(transaction, repository, tag)),
    remove: (name, digest) =>
      change(name, async (transaction, repository) => {
        for (const tag of await tagsOf(transaction, repository.id, digest))
          await untag(transaction, repository, tag)
        const found = await findManifest(transaction, name, digest)
        const removed = await removeManifest(transaction, repository.id, digest)
        if (found === undefined || removed === undefined) return
        const { mediaType, size } = removed
        const { bytes } = found
        await tell(transaction, repository, {
          kind: 'manifest-deleted',
          digest,
          mediaType,
          size,
          bytes,
        })
      }),
    tag: (name, tag) =>
      change(name, (transaction, repository) => findTag(transaction, repository.id, tag)),
    async hasManifest(name, digest) {
      return (await findManifest(database, name, digest)) !== undefined
    },
    async hasBlob(name, digest) {
      return (await openBlob(database, name, digest)) !== undefined
    },
    async objectSizes() {
      const sizes: number[] = []
      for await (const { size } of objects.list()) sizes.push(size)
      return sizes
    },
    [Symbol.asyncDispose]: () => database.close(),
  }
}

type ChangeOf = Change extends infer One
  ? One extends Change
    ? Omit<One, 'repository' | 'actor' | 'at'>
    : never
  : never

function documentOf({ layers = [], manifests, subject, note = '' }: NewImage): {
  readonly mediaType: string
  readonly bytes: Uint8Array
} {
  const mediaType = manifests === undefined ? mediaTypes.ociManifest : mediaTypes.ociIndex
  const [config] = layers
  const document = {
    schemaVersion: 2,
    mediaType,
    ...(manifests === undefined
      ? { config: { ...(config ?? emptyLayer), mediaType: mediaTypes.ociConfig }, layers }
      : {
          manifests: [
            ...manifests.map((digest) => ({ mediaType: mediaTypes.ociManifest, digest, size: 1 })),
            ...layers,
          ],
        }),
    ...(subject === undefined
      ? {}
      : { subject: { mediaType: mediaTypes.ociManifest, digest: subject, size: 1 } }),
    annotations: { note },
  }
  return { mediaType, bytes: Buffer.from(JSON.stringify(document)) }
}

const emptyLayer: Descriptor = {
  mediaType: mediaTypes.ociLayer,
  digest: digestOf(Buffer.from('')),
  size: 0,
}

function digestOf(bytes: Uint8Array): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
}

async function* single(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
