import { json, type RegistryRequest, type RegistryResponse } from '../http.ts'
import { listRepositoryNames } from '../metadata/repositories.ts'
import type { DistributionContext } from './context.ts'
import { linkToNext, readPage } from './page.ts'

/** So many names are looked at for one page that has any; who may see few of very many gets short pages. */
const maxLookedAt = 20_000

/** `GET /v2/_catalog`: what the client may see, sorted, `n` at a time after `last`. */
export async function listRepositories(
  { database, limits }: DistributionContext,
  request: RegistryRequest,
  maySee: (repository: string) => boolean,
): Promise<RegistryResponse> {
  const { count, last } = readPage(request, limits.pageEntries)
  const repositories: string[] = []
  let at = last
  for (let lookedAt = 0; count > 0;) {
    const batch = await listRepositoryNames(database, { last: at, limit: limits.pageEntries })
    // Only a name that was shown may lead to the next page: the others are nobody's business.
    const shown = repositories.at(-1)
    if (shown !== undefined && batch.length > 0 && lookedAt >= maxLookedAt)
      return json(200, { repositories }, linkToNext(request, count, shown))
    for (const name of batch.filter((each) => maySee(each))) {
      if (repositories.length === count)
        return json(200, { repositories }, linkToNext(request, count, repositories.at(-1) ?? ''))
      repositories.push(name)
    }
    lookedAt += batch.length
    at = batch.at(-1) ?? at
    if (batch.length < limits.pageEntries) break
  }
  return json(200, { repositories })
}
