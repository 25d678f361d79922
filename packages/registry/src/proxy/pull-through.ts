import type { Digest } from '@katman/oci'
import { parseRange } from '../byte-range.ts'
import type { Database } from '../database/database.ts'
import type { RegistryRequest, RegistryResponse } from '../http.ts'
import { Refusal } from '../refusal.ts'
import type { Route } from '../route.ts'
import { createBlobCache } from './blob-cache.ts'
import { findRecord } from './cache-records.ts'
import type { Content } from './content.ts'
import { createFetchTurns } from './fetch-turns.ts'
import { createManifestCache } from './manifest-cache.ts'
import { underOwnName } from './mirror-names.ts'
import { createUpstreamLists } from './upstream-lists.ts'
import { createUpstreamClient, type Rest, type UpstreamClient } from './upstream-client.ts'
import { restRefusal, upstreamRefusal } from './upstream-failure.ts'
import { createUpstream, originOf, type Upstream, type UpstreamOptions } from './upstream.ts'

/** Other registries behind this one: what is asked for is fetched, kept, and answered from here. */
export interface PullThrough extends AsyncDisposable {
  /** With every default filled in. */
  readonly upstreams: readonly Upstream[]
  /** The request under the name the repository has here: see {@link underOwnName}. */
  underOwnName(request: RegistryRequest): RegistryRequest
  /**
   * Before the registry answers from what it has; rights were checked. A response is the answer; headers are added to the
   * registry's own. Throws a `Refusal`.
   */
  before(request: RegistryRequest, route: Route): Promise<Before>
  /** The upstreams, and why one of them is not asked now. */
  state(): readonly { readonly upstream: Upstream; readonly rest: Rest | undefined }[]
  /** Resolves when nothing is being fetched. */
  settled(): Promise<void>
}

export interface Before {
  readonly response?: RegistryResponse
  readonly headers?: Readonly<Record<string, string>>
}

export interface PullThroughOptions {
  readonly upstreams: readonly UpstreamOptions[]
  readonly content: Content
  readonly database: Database
  /** Where blobs are kept while they arrive. */
  readonly spoolFolder: string
  /** Sent to upstreams: `katman/1.0`. */
  readonly userAgent: string
  /** Milliseconds since 1970. Default: the clock. */
  readonly now?: () => number
  /** Told what is wrong with an upstream: one line, at most once a minute. */
  readonly warn?: (line: string) => void
}

/** Opens the cache. Nothing is sent before the first request. Throws `UPSTREAM_INVALID`. */
export function createPullThrough(options: PullThroughOptions): PullThrough {
  const { content, database, userAgent } = options
  const now = options.now ?? Date.now
  const heard = options.warn === undefined ? {} : { warn: options.warn }
  const upstreams = options.upstreams.map(createUpstream)
  const clients = new Map(
    upstreams.map((upstream) => [
      upstream,
      createUpstreamClient(upstream, { userAgent, now, ...heard }),
    ]),
  )
  const turns = createFetchTurns(database, now)
  const manifests = createManifestCache({ content, database, now, turns })
  const blobs = createBlobCache({ ...options, now, turns })
  const lists = createUpstreamLists(now)

  async function find(repository: string): Promise<Found | undefined> {
    const origin = originOf(upstreams, repository)
    const client = origin && clients.get(origin.upstream)
    if (origin === undefined || client === undefined) return undefined
    const record = await findRecord(database, repository)
    // What people pushed is theirs, whatever an upstream has under this name.
    if (record.exists && record.upstream === undefined) return undefined
    return {
      client,
      repository,
      remoteRepository: origin.repository,
      isCached: record.upstream !== undefined,
    }
  }

  async function blob(
    request: RegistryRequest,
    found: Found,
    digest: Digest,
  ): Promise<RegistryResponse | undefined> {
    const { client, remoteRepository, repository } = found
    if ((await content.blobSize(repository, digest)) !== undefined) return undefined
    const about = { registry: client.upstream.registry, subject: 'blob', name: digest } as const
    const rest = client.resting()
    if (rest !== undefined) throw restRefusal(rest, about, now())
    try {
      if (request.method === 'HEAD') {
        const remote = client.repository(remoteRepository)
        return blobResponse(digest, await client.ask(() => remote.blobSize(digest)))
      }
      const fetch = await blobs.fetch({ client, remoteRepository, repository, digest })
      if (fetch === undefined) return undefined
      const { size } = fetch
      const wanted = request.header('range')
      const range = wanted === undefined ? undefined : parseRange(wanted, size)
      if (range === 'unsatisfiable') {
        throw new Refusal(416, 'RANGE_INVALID', 'the range lies outside the blob', {
          headers: { 'content-range': `bytes */${size}` },
        })
      }
      const response = blobResponse(digest, size, range)
      return { ...response, body: fetch.read(range ?? { start: 0, end: size }) }
    } catch (error) {
      if (error instanceof Refusal) throw error
      throw upstreamRefusal(error, about)
    }
  }

  async function read(request: RegistryRequest, route: Route, found: Found): Promise<Before> {
    const isHead = request.method === 'HEAD'
    switch (route.kind) {
      case 'manifest': {
        const refreshed = await manifests.refresh({ ...found, reference: route.reference, isHead })
        if (refreshed.kind === 'here') return { headers: refreshed.headers ?? {} }
        const { digest, mediaType, size } = refreshed.descriptor
        return {
          response: {
            status: 200,
            headers: {
              'content-type': mediaType,
              'content-length': String(size),
              'docker-content-digest': digest,
              etag: `"${digest}"`,
            },
          },
        }
      }
      case 'blob': {
        const response = await blob(request, found, route.digest)
        return response === undefined ? {} : { response }
      }
      case 'tags':
        return lists.tags(request, found)
      case 'referrers':
        return lists.referrers(request, found, route.digest)
      default:
        return {}
    }
  }

  return {
    upstreams,
    underOwnName: (request) => underOwnName(upstreams, request),
    async before(request, route) {
      if (!('repository' in route)) return {}
      const found = await find(route.repository)
      if (found === undefined) return {}
      if (request.method === 'GET' || request.method === 'HEAD') return read(request, route, found)
      // What is cached may be removed; but nobody makes others believe that the upstream has what it has not.
      if (request.method === 'DELETE' && route.kind !== 'upload') return {}
      const { prefix, registry } = found.client.upstream
      if (!found.isCached && prefix === '') return {}
      const message = `this repository is a cache of ${registry}: nothing is pushed to it`
      throw new Refusal(403, 'DENIED', message, { detail: { name: route.repository } })
    },
    state: () => [...clients].map(([upstream, client]) => ({ upstream, rest: client.resting() })),
    settled: () => blobs.settled(),
    async [Symbol.asyncDispose]() {
      for (const client of clients.values()) await client[Symbol.asyncDispose]()
      await blobs.settled()
    },
  }
}

/** A repository here that belongs to an upstream. */
export interface Found {
  readonly client: UpstreamClient
  readonly repository: string
  readonly remoteRepository: string
  readonly isCached: boolean
}

function blobResponse(
  digest: Digest,
  size: number,
  range?: { readonly start: number; readonly end: number },
): RegistryResponse {
  const { start, end } = range ?? { start: 0, end: size }
  return {
    status: range === undefined ? 200 : 206,
    headers: {
      'accept-ranges': 'bytes',
      'content-type': 'application/octet-stream',
      'docker-content-digest': digest,
      etag: `"${digest}"`,
      'content-length': String(end - start),
      ...(range === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${size}` }),
    },
  }
}
