import { json, type RegistryRequest, type RegistryResponse } from '../http.ts'
import { findRepository } from '../metadata/repositories.ts'
import { listTagNames } from '../metadata/tags.ts'
import { Refusal } from '../refusal.ts'
import type { DistributionContext } from './context.ts'
import { linkToNext, readPage } from './page.ts'

/** `GET /v2/<name>/tags/list`: sorted, `n` at a time after `last`. */
export async function listTags(
  { database, limits }: DistributionContext,
  request: RegistryRequest,
  name: string,
): Promise<RegistryResponse> {
  const { count, last } = readPage(request, limits.pageEntries)
  const repository = await findRepository(database, name)
  if (repository === undefined) {
    throw new Refusal(404, 'NAME_UNKNOWN', 'repository name not known to registry', {
      detail: { name },
    })
  }
  // One more tells whether there is a next page.
  const found =
    count === 0 ? [] : await listTagNames(database, repository.id, { last, limit: count + 1 })
  const tags = found.slice(0, count)
  const end = tags.at(-1)
  const hasMore = end !== undefined && found.length > count
  return json(200, { name, tags }, hasMore ? linkToNext(request, count, end) : {})
}
