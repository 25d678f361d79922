import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Digest } from '@katman/oci'
import type { Database } from '../database/database.ts'
import { beginBlobFetch, type BlobFetch } from './blob-fetch.ts'
import { releaseFetch, takeFetch } from './cache-records.ts'
import type { Content } from './content.ts'
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
  readonly spoolFolder: string
  readonly now: () => number
}

/** A fetch that did not say for so long that it goes on is taken for dead, in ms. */
const leaseMs = 15_000
/** How often another replica's fetch is looked at, in ms. */
const lookMs = 200
/** After so long a client gets a fetch of its own, in ms: another replica's fetch cannot be read from. */
const patienceMs = 20_000

export function createBlobCache(options: BlobCacheOptions): BlobCache {
  const { content, database, now } = options
  const holder = randomUUID()
  const fetches = new Map<string, Promise<BlobFetch | undefined>>()
  const stores = new Set<Promise<void>>()

  async function begin(wanted: WantedBlob, forget: () => void): Promise<BlobFetch | undefined> {
    const { digest, repository } = wanted
    const isOurs = await takeTurn(wanted)
    if ((await content.blobSize(repository, digest)) !== undefined) {
      if (isOurs) await releaseFetch(database, repository, digest, holder)
      return undefined
    }
    let fetch: BlobFetch
    try {
      const size = await content.namedSize(repository, digest)
      fetch = await beginBlobFetch({ ...options, ...wanted, size, onAbandoned: forget })
    } catch (error) {
      if (isOurs) await releaseFetch(database, repository, digest, holder)
      throw error
    }
    const beat = setInterval(() => {
      void takeFetch(database, lease(wanted)).catch(() => {})
    }, leaseMs / 3)
    beat.unref()
    const end = (async () => {
      // Why it failed is told to those who read it.
      await fetch.stored.catch(() => {})
      clearInterval(beat)
      forget()
      if (isOurs) await releaseFetch(database, repository, digest, holder).catch(() => {})
    })()
    stores.add(end)
    void end.finally(() => stores.delete(end))
    return fetch
  }

  const lease = ({ digest, repository }: WantedBlob) => ({
    repository,
    digest,
    holder,
    now: now(),
    until: now() + leaseMs,
  })

  /** Waits while another replica fetches it. False when that takes too long. */
  async function takeTurn(wanted: WantedBlob): Promise<boolean> {
    const giveUpAt = now() + patienceMs
    while (!(await takeFetch(database, lease(wanted)))) {
      if (now() >= giveUpAt) return false
      await delay(lookMs)
      if ((await content.blobSize(wanted.repository, wanted.digest)) !== undefined) return false
    }
    return true
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
