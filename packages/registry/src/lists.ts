import {
  type Descriptor,
  describeReferrer,
  type Digest,
  mediaTypes,
  parseManifest,
} from '@katman/oci'
import { json, type RegistryRequest, type RegistryResponse } from './http.ts'
import { Refusal } from './refusal.ts'
import type { RegistryStorage, StoredManifest } from './storage.ts'

const maxPage = 1000

/** `GET /v2/<name>/tags/list`: sorted, `n` at a time after `last`. */
export async function listTags(
  storage: RegistryStorage,
  request: RegistryRequest,
  repository: string,
): Promise<RegistryResponse> {
  const all = await storage.tags.list(repository)
  if (all.length === 0 && !(await storage.repositories()).includes(repository)) {
    throw new Refusal(404, 'NAME_UNKNOWN', 'repository name not known to registry', {
      detail: { name: repository },
    })
  }
  const { page, headers } = paginate(request, all)
  return json(200, { name: repository, tags: page }, headers)
}

/** `GET /v2/_catalog`: what the client may see. */
export async function listRepositories(
  storage: RegistryStorage,
  request: RegistryRequest,
  maySee: (repository: string) => boolean,
): Promise<RegistryResponse> {
  const { page, headers } = paginate(request, (await storage.repositories()).filter(maySee))
  return json(200, { repositories: page }, headers)
}

/** `GET /v2/<name>/referrers/<digest>`: an index, empty when nothing refers to the digest. */
export async function listReferrers(
  storage: RegistryStorage,
  request: RegistryRequest,
  { repository, digest }: { readonly repository: string; readonly digest: Digest },
): Promise<RegistryResponse> {
  const wanted = request.query.get('artifactType')
  const manifests = (await storage.manifests.referrers(repository, digest))
    .map(describe)
    .filter((found) => wanted === null || found.artifactType === wanted)
  return json(
    200,
    { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests },
    {
      'content-type': mediaTypes.ociIndex,
      ...(wanted === null ? {} : { 'oci-filters-applied': 'artifactType' }),
    },
  )
}

function describe({ digest, mediaType, bytes }: StoredManifest): Descriptor {
  const document = parseManifest(bytes, mediaType)
  return describeReferrer({ mediaType, digest, size: bytes.byteLength }, document)
}

interface Page {
  readonly page: readonly string[]
  readonly headers: Readonly<Record<string, string>>
}

function paginate(request: RegistryRequest, all: readonly string[]): Page {
  const given = request.query.get('n')
  if (given !== null && !/^\d{1,9}$/.test(given)) {
    throw new Refusal(400, 'PAGINATION_NUMBER_INVALID', 'n is no whole number')
  }
  const count = Math.min(maxPage, given === null ? maxPage : Number(given))
  const last = request.query.get('last') ?? ''
  const rest = all.filter((name) => name > last)
  const page = rest.slice(0, count)
  const end = page.at(-1)
  if (end === undefined || page.length === rest.length) return { page, headers: {} }
  const next = new URLSearchParams({ n: String(count), last: end })
  return { page, headers: { link: `<${request.path}?${next.toString()}>; rel="next"` } }
}
