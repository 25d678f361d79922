import { randomUUID } from 'node:crypto'
import { type Bytes, type Descriptor, type Digest, isDigest, KatmanError } from '@katman/oci'
import type { Change } from '../change.ts'
import { type Asked, changeRepository, type DistributionContext } from '../distribution/context.ts'
import { deleteManifest } from '../distribution/delete-manifest.ts'
import { storeBlob } from '../distribution/store-blob.ts'
import { storeManifest } from '../distribution/store-manifest.ts'
import { type BlobContent, findBlob, linkBlob, openBlob, reviveBlob } from '../metadata/blobs.ts'
import { findManifest, findManifestByTag } from '../metadata/manifests.ts'
import { findRepository } from '../metadata/repositories.ts'
import { findTag, listTagNames } from '../metadata/tags.ts'
import { Refusal } from '../refusal.ts'
import type { Content } from './content.ts'

interface ContentOptions {
  /** What listeners are told of new blobs: that they come from an upstream, or were brought by somebody. */
  readonly how: Extract<Change, { kind: 'blob-linked' }>['how']
  /** The account for which it is done. Default: the registry itself. */
  readonly actor?: string
}

const tagsPerPage = 1000

/** What the registry holds, by its tables and its objects. */
export function createContent(
  context: DistributionContext,
  { actor, how }: ContentOptions,
): Content {
  const { database, limits, now, objects } = context
  const asked = (): Asked => ({ actor, at: now() })

  /** Gives the repository what the registry has of these bytes. False when it has nothing. */
  async function linkKnown(name: string, digest: Digest): Promise<boolean> {
    const known = await database.get('SELECT 1 AS one FROM blobs WHERE digest = ?', [digest])
    if (known === undefined) return false
    const at = asked()
    return changeRepository(context, name, at, async ({ repository, tell, transaction }) => {
      if ((await reviveBlob(transaction, digest)) !== 1) return false
      const row = await transaction.get<{ readonly size: number }>(
        'SELECT size FROM blobs WHERE digest = ?',
        [digest],
      )
      if (row === undefined) return false
      const leaseUntil = at.at + limits.leaseMs
      const given = { repositoryId: repository.id, digest, now: at.at, leaseUntil }
      const isNew = await linkBlob(transaction, given)
      await tell({ kind: 'blob-linked', digest, size: row.size, how, isNew })
      return true
    })
  }

  async function keep(
    size: number,
    open: () => Bytes,
    file: string | undefined,
  ): Promise<BlobContent> {
    if (size <= limits.inlineBytes) return { data: await collect(open()) }
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

  async function remove(repository: string, reference: Digest | string): Promise<boolean> {
    try {
      await deleteManifest(context, { repository, reference }, asked())
      return true
    } catch (error) {
      if (error instanceof Refusal && error.status === 404) return false
      throw error
    }
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
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only storeManifest writes it
      return rows.map(({ descriptor }) => JSON.parse(descriptor) as Descriptor)
    },
    async putManifest(repository, { bytes, digest, mediaType }, { tag } = {}) {
      const tags = tag === undefined ? [] : [tag]
      const given = { digest, mediaType, bytes, tags, isSparse: true }
      await storeManifest(context, repository, given, asked())
    },
    deleteManifest: remove,
    deleteTag: remove,
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
    async *openBlob(repository, digest, { start, end }) {
      const found = await openBlob(database, repository, digest)
      if (found === undefined) {
        throw new KatmanError('BLOB_UNKNOWN', `${digest} is gone from ${repository}`, {
          details: { digest, repository },
        })
      }
      if ('data' in found.content) yield found.content.data.subarray(start, end)
      else yield* objects.open(found.content.key, { start, end })
    },
    async putBlob(repository, { digest, size }, open, file) {
      // Else one who names a digest of others, and has not its bytes, would get them.
      if (file !== undefined && (await linkKnown(repository, digest))) return
      const content = await keep(size, open, file)
      await storeBlob(context, repository, { digest, size, content, how }, asked())
    },
  }
}

async function collect(bytes: Bytes): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of bytes) chunks.push(chunk)
  return Buffer.concat(chunks)
}
