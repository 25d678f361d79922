import type { Queries } from './database/database.ts'
import { badgeOf } from './hub/repositories.ts'
import { searchPages } from './hub/search.ts'
import { json, type RegistryRequest, type RegistryResponse } from './http.ts'
import { Refusal } from './refusal.ts'

const defaultCount = 25
const maxCount = 100
const maxTerm = 300

/**
 * `GET /v1/search?q=TERM&n=COUNT&page=PAGE`, as docker's engine asks Docker Hub: the repositories the client may see whose name
 * holds the term, the most alike first.
 */
export async function searchRepositories(
  queries: Queries,
  request: RegistryRequest,
  maySee: (repository: string) => boolean,
): Promise<RegistryResponse> {
  const term = (request.query.get('q') ?? '').slice(0, maxTerm)
  const size = Math.min(maxCount, wholeNumber(request, 'n', defaultCount))
  const page = wholeNumber(request, 'page', 1)
  const wanted = { term, size, offset: (page - 1) * size }
  const { count, rows } = await searchPages(queries, wanted, maySee)
  return json(200, {
    num_pages: Math.ceil(count / size),
    num_results: count,
    page,
    page_size: size,
    query: term,
    results: rows.map((row) => ({
      name: row.name,
      description: row.description,
      star_count: row.star_count,
      is_trusted: false,
      is_automated: false,
      is_official: badgeOf(row) === 'official',
    })),
  })
}

function wholeNumber(request: RegistryRequest, name: string, otherwise: number): number {
  const given = request.query.get(name)
  if (given === null) return otherwise
  if (/^\d{1,9}$/.test(given) && Number(given) > 0) return Number(given)
  throw new Refusal(400, 'PAGINATION_NUMBER_INVALID', `${name} is no whole number above 0`)
}
