import { type Digest, mediaTypes } from '@katman/oci'
import type { RegistryRequest, RegistryResponse } from '../http.ts'
import type { Database } from '../database/database.ts'
import { listReferrerDescriptors, type Referrers } from '../metadata/manifests.ts'
import { findRepository } from '../metadata/repositories.ts'
import type { DistributionContext } from './context.ts'
import { linkToNext, type PageAsked, readPage } from './page.ts'

/** A client may refuse an index that is larger than a manifest may be. */
const maxPageBytes = 2 * 1024 * 1024
const maxPageEntries = 100
const batchEntries = 16

/**
 * `GET /v2/<name>/referrers/<digest>`: an index, empty when nothing refers to the digest. Pages are links to follow, when they
 * are many or have much to say.
 */
export async function listReferrers(
  { database, limits }: DistributionContext,
  request: RegistryRequest,
  route: { readonly repository: string; readonly digest: Digest },
): Promise<RegistryResponse> {
  const { count, last } = readPage(request, Math.min(maxPageEntries, limits.pageEntries))
  const artifactType = request.query.get('artifactType') ?? undefined
  const repository = await findRepository(database, route.repository)
  const asked = { subject: route.digest, artifactType, count: Math.max(1, count), last }
  const { page, hasMore } =
    repository === undefined
      ? { page: [], hasMore: false }
      : await readReferrers(database, repository.id, asked)
  const end = page.at(-1)?.digest
  // The descriptors are JSON already.
  const descriptors = page.map(({ descriptor }) => descriptor).join(',')
  const text = `{"schemaVersion":2,"mediaType":"${mediaTypes.ociIndex}","manifests":[${descriptors}]}`
  return {
    status: 200,
    headers: {
      'content-type': mediaTypes.ociIndex,
      ...(artifactType === undefined ? {} : { 'oci-filters-applied': 'artifactType' }),
      ...(hasMore && end !== undefined ? linkToNext(request, count, end) : {}),
    },
    body: Buffer.from(text),
  }
}

type Referrer = Awaited<ReturnType<typeof listReferrerDescriptors>>[number]

/** Few at a time: each may be as large as a manifest. One is given in any case. */
async function readReferrers(
  database: Database,
  repositoryId: number,
  { count, last, ...wanted }: Pick<Referrers, 'subject' | 'artifactType' | 'last'> & PageAsked,
): Promise<{ readonly page: readonly Referrer[]; readonly hasMore: boolean }> {
  const page: Referrer[] = []
  let size = 0
  for (;;) {
    const from = page.at(-1)?.digest ?? last
    const batch = await listReferrerDescriptors(database, repositoryId, {
      ...wanted,
      last: from,
      limit: batchEntries,
    })
    for (const referrer of batch) {
      size += Buffer.byteLength(referrer.descriptor)
      const isFull = page.length === count || (page.length > 0 && size > maxPageBytes)
      if (isFull) return { page, hasMore: true }
      page.push(referrer)
    }
    if (batch.length < batchEntries) return { page, hasMore: false }
  }
}
