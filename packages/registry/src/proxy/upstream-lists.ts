import { type Descriptor, type Digest, mediaTypes } from '@katman/oci'
import { json, type RegistryRequest } from '../http.ts'
import { Refusal } from '../refusal.ts'
import type { Before, Found } from './pull-through.ts'
import { createSharedWork } from './shared-work.ts'
import { createShortMemory } from './short-memory.ts'
import { isMissing } from './is-missing.ts'
import { restRefusal, staleWarning, upstreamRefusal } from './upstream-failure.ts'

/** What an upstream has: its tags, and what refers to its content. */
export interface UpstreamLists {
  tags(request: RegistryRequest, found: Found): Promise<Before>
  referrers(request: RegistryRequest, found: Found, digest: Digest): Promise<Before>
}

/** More tags than this of one repository are not read. */
const maxTags = 100_000
const pageSize = 1000

export function createUpstreamLists(now: () => number): UpstreamLists {
  const tagWork = createSharedWork<readonly string[]>()
  const knownTags = createShortMemory<readonly string[]>(now)
  const referrerWork = createSharedWork<readonly Descriptor[]>()

  async function allTags({ client, remoteRepository, repository }: Found) {
    const known = knownTags.get(repository)
    if (known !== undefined) return known
    return tagWork.run(repository, () =>
      client.ask(async () => {
        const tags: string[] = []
        for await (const tag of client.repository(remoteRepository).tags()) {
          tags.push(tag)
          if (tags.length >= maxTags) break
        }
        const sorted = [...new Set(tags)].sort()
        // A list of many is much to keep: the few that are long are asked for again.
        if (sorted.length <= pageSize) {
          knownTags.set(repository, sorted, client.upstream.missingSeconds * 1000)
        }
        return sorted
      }),
    )
  }

  return {
    async tags(request, found) {
      const { client, isCached, repository } = found
      const { registry } = client.upstream
      const about = { registry, subject: 'manifest', name: repository } as const
      const rest = client.resting()
      try {
        if (rest !== undefined) throw rest.error
        return { response: tagPage(request, repository, await allTags(found)) }
      } catch (error) {
        if (error instanceof Refusal) throw error
        if (isMissing(error)) {
          throw new Refusal(404, 'NAME_UNKNOWN', `${registry} does not have this repository`, {
            detail: { name: repository },
          })
        }
        if (isCached) return { headers: staleWarning(registry, error) }
        throw rest === undefined ? upstreamRefusal(error, about) : restRefusal(rest, about, now())
      }
    },
    async referrers(request, { client, isCached, remoteRepository, repository }, digest) {
      const { registry } = client.upstream
      const wanted = request.query.get('artifactType')
      const rest = client.resting()
      try {
        if (rest !== undefined) throw rest.error
        const all = await referrerWork.run(`${repository}@${digest}`, () =>
          client.ask(() => client.repository(remoteRepository).referrers({ digest })),
        )
        const manifests = all.filter((found) => wanted === null || found.artifactType === wanted)
        const body = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }
        const headers = {
          'content-type': mediaTypes.ociIndex,
          ...(wanted === null ? {} : { 'oci-filters-applied': 'artifactType' }),
        }
        return { response: json(200, body, headers) }
      } catch (error) {
        if (isMissing(error)) return {}
        if (isCached) return { headers: staleWarning(registry, error) }
        const about = { registry, subject: 'manifest', name: digest } as const
        throw rest === undefined ? upstreamRefusal(error, about) : restRefusal(rest, about, now())
      }
    },
  }
}

/** One page of tags, as the registry's own lists are paged. */
function tagPage(request: RegistryRequest, name: string, all: readonly string[]) {
  const given = request.query.get('n')
  if (given !== null && !/^\d{1,9}$/.test(given)) {
    throw new Refusal(400, 'PAGINATION_NUMBER_INVALID', 'n is no whole number')
  }
  const count = Math.min(pageSize, given === null ? pageSize : Number(given))
  const last = request.query.get('last') ?? ''
  const rest = all.filter((tag) => tag > last)
  const tags = rest.slice(0, count)
  const end = tags.at(-1)
  if (end === undefined || tags.length === rest.length) return json(200, { name, tags })
  const next = new URLSearchParams({ n: String(count), last: end }).toString()
  return json(200, { name, tags }, { link: `<${request.path}?${next}>; rel="next"` })
}
