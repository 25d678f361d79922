import type { Digest } from '@katman/oci'
import { beginBlobFetch, type BlobFetch } from './blob-fetch.ts'
import type { Database } from '../database/database.ts'
import { markCached } from './cache-records.ts'
import type { Content } from './content.ts'
import type { FetchTurns } from './fetch-turns.ts'
import type { UpstreamClient } from './upstream-client.ts'

/** The blobs of upstreams: each is fetched once, whoever asks. */
export interface BlobCache {
  /** A fetch to read from; undefined when the blob is in the registry meanwhile. Throws what the upstream says. */
  fetch(wanted: WantedBlob): Promise<BlobFetch | undefined>
  /** Resolves when no fetch is under way. */
  settled(): Promise<void>
}

interface WantedBlob {
  readonly client: UpstreamClient
  readonly repository: string
  readonly remoteRepository: string
  readonly digest: Digest
}

export interface BlobCacheOptions {
  readonly content: Content
  readonly database: Database
  readonly now: () => number
  readonly turns: FetchTurns
  readonly spoolFolder: string
}

export function createBlobCache(options: BlobCacheOptions): BlobCache {
  const { content, database, now, turns } = options
  const fetches = new Map<string, Promise<BlobFetch | undefined>>()
  const stores = new Set<Promise<void>>()

  async function begin(wanted: WantedBlob, forget: () => void): Promise<BlobFetch | undefined> {
    const { digest, repository } = wanted
    const isThere = async () => (await content.blobSize(repository, digest)) !== undefined
    const turn = await turns.take({ repository, reference: digest }, isThere)
    if (turn === undefined) return undefined
    let fetch: BlobFetch
    try {
      const size = await content.namedSize(repository, digest)
      fetch = await beginBlobFetch({
        ...options,
        ...wanted,
        size,
        mark: () => mark(wanted),
        onAbandoned: forget,
      })
    } catch (error) {
      await turn.end()
      throw error
    }
    const end = (async () => {
      // Why it failed is told to those who read it.
      await fetch.stored.catch(() => {})
      forget()
      await turn.end()
    })()
    stores.add(end)
    void end.finally(() => stores.delete(end))
    return fetch
  }

  async function mark({ client, remoteRepository, repository }: WantedBlob): Promise<void> {
    const { registry } = client.upstream
    const given = { repository, upstream: registry, remote: remoteRepository, now: now() }
    if (!(await markCached(database, given))) throw new Error(`${repository} is no cache any more`)
  }

  return {
    fetch(wanted) {
      const key = `${wanted.repository}@${wanted.digest}`
      const known = fetches.get(key)
      if (known !== undefined) return known
      const forget = (): void => {
        if (fetches.get(key) === begun) fetches.delete(key)
      }
      const begun: Promise<BlobFetch | undefined> = begin(wanted, forget)
      fetches.set(key, begun)
      begun.then(
        (fetch) => {
          if (fetch === undefined) forget()
        },
        () => forget(),
      )
      return begun
    },
    async settled() {
      while (stores.size > 0) await Promise.all(stores)
    },
  }
}
