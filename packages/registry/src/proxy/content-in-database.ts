import { randomUUID } from 'node:crypto'
import {
  type Bytes,
  childrenOf,
  type Descriptor,
  describeReferrer,
  type Digest,
  isDigest,
  isForeignLayerType,
  parseManifest,
} from '@katman/oci'
import type { ChangeKind, ChangeListener, Repository } from '../change.ts'
import type { Database, Transaction } from '../database/database.ts'
import {
  addBlobContent,
  type BlobContent,
  findBlob,
  linkBlob,
  openBlob,
  reviveBlob,
} from '../metadata/blobs.ts'
import { addManifest, findManifest, findManifestByTag } from '../metadata/manifests.ts'
import { ensureRepository, findRepository } from '../metadata/repositories.ts'
import { deleteTag, findTag, listTagNames, setTag } from '../metadata/tags.ts'
import type { ByteRange, ObjectStore } from '../object-store.ts'
import type { Content } from './content.ts'

export interface ContentOptions {
  readonly database: Database
  readonly objects: ObjectStore
  readonly listeners: readonly ChangeListener[]
  /** What is told of new blobs: whether they were pushed by somebody or come from another registry. */
  readonly how: 'upload' | 'pull'
  readonly now: () => number
}

/** Smaller blobs are in the database itself, in bytes. */
const inlineBytes = 64 * 1024
/** So long a blob stays that no manifest names yet, in ms. */
const leaseMs = 24 * 3_600_000
const tagsPerPage = 1000

/** What the registry holds, by its tables and its objects. */
export function createContent(options: ContentOptions): Content {
  const { database, how, listeners, now, objects } = options

  async function tell(
    transaction: Transaction,
    repository: Repository,
    told: ChangeKind,
  ): Promise<void> {
    const change = { ...told, repository, actor: undefined, at: now() }
    for (const listener of listeners) await listener(transaction, change)
  }

  async function ensure(transaction: Transaction, name: string): Promise<Repository> {
    const { isNew, repository } = await ensureRepository(transaction, name, now())
    if (isNew) await tell(transaction, repository, { kind: 'repository-created' })
    return repository
  }

  async function link(
    transaction: Transaction,
    name: string,
    { digest, size }: { readonly digest: Digest; readonly size: number },
    from: 'upload' | 'pull' | 'mount',
  ): Promise<void> {
    const repository = await ensure(transaction, name)
    const at = now()
    const leaseUntil = at + leaseMs
    const given = { repositoryId: repository.id, digest, now: at, leaseUntil }
    const isNew = await linkBlob(transaction, given)
    await tell(transaction, repository, { kind: 'blob-linked', digest, size, how: from, isNew })
  }

  /** True when the registry has these bytes already. */
  async function linkKnown(
    name: string,
    digest: Digest,
    from: 'upload' | 'pull' | 'mount',
  ): Promise<boolean> {
    return database.transaction(async (transaction) => {
      if ((await reviveBlob(transaction, digest)) !== 1) return false
      const row = await transaction.get<{ readonly size: number }>(
        'SELECT size FROM blobs WHERE digest = ?',
        [digest],
      )
      if (row === undefined) return false
      await link(transaction, name, { digest, size: row.size }, from)
      return true
    })
  }

  async function keep(
    size: number,
    open: () => Bytes,
    file: string | undefined,
  ): Promise<BlobContent> {
    if (size <= inlineBytes) return { data: await collect(open()) }
    const key = randomUUID()
    if (file !== undefined && objects.adopt !== undefined) {
      await objects.adopt(key, file)
      return { key }
    }
    const begun = await objects.begin(key)
    const { upload, failure } = await objects.append(begun, open())
    if (failure !== undefined) {
      await objects.abort(upload)
      throw failure
    }
    await objects.finish(upload)
    return { key }
  }

  return {
    async manifest(repository, reference) {
      return isDigest(reference)
        ? findManifest(database, repository, reference)
        : findManifestByTag(database, repository, reference)
    },
    async tag(repository, tag) {
      const found = await findRepository(database, repository)
      return found && findTag(database, found.id, tag)
    },
    async tags(repository) {
      const found = await findRepository(database, repository)
      const tags: string[] = []
      for (let last = ''; found !== undefined; last = tags.at(-1) ?? '') {
        const page = await listTagNames(database, found.id, { last, limit: tagsPerPage })
        tags.push(...page)
        if (page.length < tagsPerPage) break
      }
      return tags
    },
    async referrers(repository, subject) {
      const rows = await database.all<{ readonly descriptor: string }>(
        `SELECT m.descriptor FROM manifests m JOIN repositories r ON r.id = m.repository_id
         WHERE r.name = ? AND m.subject = ? ORDER BY m.digest`,
        [repository, subject],
      )
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only addManifest writes it
      return rows.map(({ descriptor }) => JSON.parse(descriptor) as Descriptor)
    },
    async putManifest(name, { digest, mediaType, bytes }, { tag } = {}) {
      const document = parseManifest(bytes, mediaType)
      const children = childrenOf(document)
      const size = bytes.byteLength
      const described = describeReferrer({ mediaType, digest, size }, document)
      const subject = document.subject?.digest
      const facts = { mediaType, artifactType: described.artifactType, subject, size }
      await database.transaction(async (transaction) => {
        const repository = await ensure(transaction, name)
        const isNew = await addManifest(transaction, {
          ...facts,
          repositoryId: repository.id,
          digest,
          bytes,
          descriptor: subject === undefined ? undefined : described,
          blobs:
            document.kind === 'index'
              ? []
              : children.filter((child) => !isForeignLayerType(child.mediaType)),
          children: document.kind === 'index' ? children.map((child) => child.digest) : [],
          now: now(),
        })
        await tell(transaction, repository, { kind: 'manifest-put', ...facts, digest, isNew })
        if (tag === undefined) return
        const set = { repositoryId: repository.id, tag, digest, now: now() }
        const previous = await setTag(transaction, set)
        await tell(transaction, repository, { kind: 'tag-set', tag, digest, previous })
      })
    },
    async deleteTag(name, tag) {
      return database.transaction(async (transaction) => {
        const repository = await findRepository(transaction, name)
        const digest = repository && (await deleteTag(transaction, repository.id, tag))
        if (repository === undefined || digest === undefined) return false
        await tell(transaction, repository, { kind: 'tag-deleted', tag, digest })
        return true
      })
    },
    async blobSize(repository, digest) {
      return (await findBlob(database, repository, digest))?.size
    },
    async namedSize(repository, digest) {
      const row = await database.get<{ readonly size: number }>(
        `SELECT m.size FROM manifest_blobs m JOIN repositories r ON r.id = m.repository_id
         WHERE r.name = ? AND m.digest = ? LIMIT 1`,
        [repository, digest],
      )
      return row?.size
    },
    async *openBlob(repository, digest, range: ByteRange) {
      const found = await openBlob(database, repository, digest)
      if (found === undefined) throw new Error(`${digest} is gone from ${repository}`)
      if ('data' in found.content) yield found.content.data.subarray(range.start, range.end)
      else yield* objects.open(found.content.key, range)
    },
    async putBlob(name, { digest, size }, open, file) {
      if (await linkKnown(name, digest, how)) return
      const content = await keep(size, open, file)
      const { isUsed, replacedKey } = await database.transaction(async (transaction) => {
        const added = await addBlobContent(transaction, { digest, size, content, now: now() })
        await link(transaction, name, { digest, size }, how)
        return added
      })
      const unused = isUsed ? replacedKey : 'key' in content ? content.key : undefined
      if (unused !== undefined) await objects.delete([unused])
    },
    linkBlob: (name, digest) => linkKnown(name, digest, 'mount'),
  }
}

async function collect(bytes: Bytes): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of bytes) chunks.push(chunk)
  return Buffer.concat(chunks)
}
