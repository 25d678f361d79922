import { json, type RegistryRequest, type RegistryResponse } from '../http.ts'
import { listRepositoryNames } from '../metadata/repositories.ts'
import type { DistributionContext } from './context.ts'
import { linkToNext, readPage } from './page.ts'

/** So many names are looked at for one page; who may see few of very many gets short pages. */
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
    for (const name of batch) {
      if (repositories.length === count && maySee(name))
        return json(200, { repositories }, linkToNext(request, count, at))
      at = name
      if (repositories.length < count && maySee(name)) repositories.push(name)
    }
    lookedAt += batch.length
    if (batch.length < limits.pageEntries) break
    if (lookedAt >= maxLookedAt) return json(200, { repositories }, linkToNext(request, count, at))
  }
  return json(200, { repositories })
}
