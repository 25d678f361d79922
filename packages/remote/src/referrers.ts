import {
  type Descriptor,
  type Digest,
  type Index,
  isKatmanError,
  KatmanError,
  maxDocumentBytes,
  mediaTypes,
  parseManifest,
  referrersTag,
} from '@katman/oci'
import { type CallOptions, type ReferrersOptions, referrersOfType } from '@katman/transfer'
import type { HostChoiceOptions } from './host-choice.ts'
import { fetchManifest, readRequest } from './manifest-fetch.ts'
import { fetchPages } from './pages.ts'
import { responseInvalid } from './network-error.ts'
import type { FinalResponse } from './redirect.ts'
import { registryError } from './registry-error.ts'
import { retrying } from './retry.ts'

/** The most that may refer to one content. */
const maxReferrers = 10_000

/** What a registry answers that does not know the request. */
const unsupported = new Set([404, 405, 501])

/**
 * What refers to a content, as its registry lists it; from the tagged index where the registry keeps no list
 * (distribution-spec, "Listing Referrers"). The registry itself is asked: a mirror may have the image and not what was
 * attached to it. Throws `RESPONSE_INVALID` for a list that is none, `GRAPH_LIMIT` for more than 10,000.
 */
export async function listReferrers(
  hosts: HostChoiceOptions,
  subject: Digest,
  name: string,
  { artifactType, signal }: ReferrersOptions,
): Promise<readonly Descriptor[]> {
  const listed =
    (await askForReferrers(hosts, subject, artifactType, { signal })) ??
    (await fetchReferrersIndex(hosts, subject, name, { signal }))
  // A registry need not filter.
  return referrersOfType(listed, artifactType)
}

/** The list of the tagged index; empty when there is no such tag. */
export async function fetchReferrersIndex(
  hosts: HostChoiceOptions,
  subject: Digest,
  name: string,
  { signal }: CallOptions,
): Promise<readonly Descriptor[]> {
  const { clock, onEvent, origin, patience } = hosts
  const tag = referrersTag(subject)
  try {
    const { bytes, descriptor } = await retrying(
      { ...patience, clock, what: `manifest ${tag}`, signal, onEvent },
      () => fetchManifest(origin, tag, name, { signal }),
    )
    const document = parseManifest(bytes, descriptor.mediaType)
    if (document.kind === 'index') return document.manifests
    throw new KatmanError('MANIFEST_INVALID', `${name}: tag ${tag} is no index of referrers`, {
      hint: 'something else was pushed under this tag; delete it',
      details: { tag, mediaType: descriptor.mediaType },
    })
  } catch (error) {
    if (isKatmanError(error, 'MANIFEST_UNKNOWN') || isKatmanError(error, 'NAME_UNKNOWN')) return []
    throw error
  }
}

/** Undefined when the registry does not know the request. */
async function askForReferrers(
  { clock, onEvent, origin, patience }: HostChoiceOptions,
  subject: Digest,
  artifactType: string | undefined,
  { signal }: CallOptions,
): Promise<readonly Descriptor[] | undefined> {
  const request = {
    ...readRequest(origin, ''),
    method: 'GET',
    subject: 'manifest',
    headers: { accept: mediaTypes.ociIndex },
    signal,
  } as const
  const fetchPage = (target: string | URL): Promise<FinalResponse> =>
    retrying({ ...patience, clock, what: 'list of referrers', signal, onEvent }, async () => {
      const final = await origin.session.exchange({ ...request, target })
      const { status } = final.response
      if (status === 200 || unsupported.has(status)) return final
      throw await registryError(
        final.response,
        { method: 'GET', url: final.url },
        'manifest',
        clock.now(),
      )
    })
  const query =
    artifactType === undefined ? '' : `?artifactType=${encodeURIComponent(artifactType)}`
  const first = `${origin.candidate.repository}/referrers/${subject}${query}`
  const options = { what: 'list of referrers', maxPageBytes: maxDocumentBytes }
  const found: Descriptor[] = []
  for await (const { bytes, response, exchange } of fetchPages(fetchPage, first, options)) {
    const isList = response.status === 200 && hasIndexType(response.headers.get('content-type'))
    if (!isList) {
      if (found.length === 0) return undefined
      throw responseInvalid(exchange, 'the list of referrers breaks off')
    }
    found.push(...readPage(bytes).manifests)
    if (found.length > maxReferrers) {
      throw new KatmanError('GRAPH_LIMIT', `more than ${maxReferrers} refer to ${subject}`, {
        details: { digest: subject, limit: maxReferrers },
      })
    }
  }
  return found
}

function readPage(bytes: Uint8Array): Index {
  const document = parseManifest(bytes, mediaTypes.ociIndex)
  if (document.kind === 'index') return document
  throw new TypeError('an index type parses to an index')
}

function hasIndexType(header: string | undefined): boolean {
  return header?.split(';')[0]?.trim().toLowerCase() === mediaTypes.ociIndex
}
