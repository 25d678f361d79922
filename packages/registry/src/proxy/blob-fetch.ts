import type { Bytes, Descriptor, Digest } from '@katman/oci'
import { KatmanError } from '@katman/oci'
import type { ByteRange } from '../object-store.ts'
import type { Content } from './content.ts'
import { openSpoolFile, type SpoolFile } from './spool-file.ts'
import type { UpstreamClient } from './upstream-client.ts'

/** A blob that comes from an upstream, for all who want it. */
export interface BlobFetch {
  readonly size: number
  /** Resolves when it is in the registry. Rejects with why it is not. */
  readonly stored: Promise<void>
  /** A range of it as it arrives; leaving before the end gives up this reader. */
  read(range: ByteRange): Bytes
}

export interface BlobFetchOptions {
  readonly content: Content
  readonly client: UpstreamClient
  /** Where files are kept while they arrive. */
  readonly spoolFolder: string
  /** What the repository is called here, and at the upstream. */
  readonly repository: string
  readonly remoteRepository: string
  readonly digest: Digest
  /** From a manifest that was verified; asked for when it is unknown. */
  readonly size: number | undefined
  /** Makes the repository a cache, before anything is in it. Rejects when people push to it. */
  readonly mark: () => Promise<void>
  /** It will fail because nobody waited for it: whoever comes now needs another. */
  readonly onAbandoned: () => void
}

/** When nobody waits for it any more a fetch goes on only if so much is left at most, in bytes, or less than half. */
const finishWithin = 256 * 1024 * 1024

/** Begins a fetch: resolves when the upstream answers. Throws what it says. */
export async function beginBlobFetch(options: BlobFetchOptions): Promise<BlobFetch> {
  const { client, content, digest, repository } = options
  const { maxBlobBytes, registry } = client.upstream
  const remote = client.repository(options.remoteRepository)
  const stop = new AbortController()
  const { signal } = stop
  const size = options.size ?? (await client.ask(() => remote.blobSize(digest, { signal })))
  if (size > maxBlobBytes) {
    throw new KatmanError('BLOB_TOO_LARGE', `a blob from ${registry} is larger than is allowed`, {
      details: { digest, size, limit: maxBlobBytes },
    })
  }
  const descriptor: Descriptor = { mediaType: 'application/octet-stream', digest, size }
  const bytes = await client.ask(() => remote.open(descriptor, { signal }))
  const spool = await openSpoolFile(options.spoolFolder, descriptor, bytes, registry)
  const stored = store(spool)
  stored.catch(() => {})
  let readers = 0

  async function store(from: SpoolFile): Promise<void> {
    try {
      await from.done
      await options.mark()
      await content.putBlob(
        repository,
        { digest, size },
        () => from.read({ start: 0, end: size }),
        from.file,
      )
    } catch (error) {
      await from.discard()
      throw error
    }
    await from.discard((range) => content.openBlob(repository, digest, range))
  }

  async function* read(range: ByteRange): Bytes {
    readers++
    try {
      yield* spool.read(range)
    } finally {
      readers--
      if (readers === 0) {
        const left = size - spool.received
        if (left > finishWithin && left > size / 2) {
          options.onAbandoned()
          stop.abort(new Error('nobody waits for it'))
        }
      }
    }
  }

  return { size, stored, read }
}
