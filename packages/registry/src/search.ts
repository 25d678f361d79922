import { json, type RegistryRequest, type RegistryResponse } from './http.ts'
import { Refusal } from './refusal.ts'
import type { Queries } from './database/database.ts'

const defaultCount = 25
const maxCount = 100
const maxTerm = 300
/** More than so many names are not put in order. */
const maxFound = 10_000

/**
 * `GET /v1/search?q=TERM&n=COUNT&page=PAGE`, as docker's engine asks Docker Hub: the repositories the client may see whose name
 * holds the term, the most alike first. Nobody describes, stars or vouches for repositories here.
 */
export async function searchRepositories(
  queries: Queries,
  request: RegistryRequest,
  maySee: (repository: string) => boolean,
): Promise<RegistryResponse> {
  const term = (request.query.get('q') ?? '').slice(0, maxTerm)
  const count = Math.min(maxCount, wholeNumber(request, 'n', defaultCount))
  const page = wholeNumber(request, 'page', 1)
  const wanted = term.toLowerCase()
  const found = (await findNames(queries, wanted))
    .filter((name) => maySee(name))
    .toSorted((left, right) => likeness(left, wanted) - likeness(right, wanted))
  return json(200, {
    num_pages: Math.ceil(found.length / count),
    num_results: found.length,
    page,
    page_size: count,
    query: term,
    results: found.slice((page - 1) * count, page * count).map((name) => ({
      name,
      description: '',
      star_count: 0,
      is_trusted: false,
      is_automated: false,
      is_official: false,
    })),
  })
}

async function findNames(queries: Queries, part: string): Promise<readonly string[]> {
  const rows = await queries.all<{ readonly name: string }>(
    `SELECT name FROM repositories WHERE name LIKE ? ESCAPE '!' ORDER BY name LIMIT ?`,
    [`%${part.replaceAll(/[!%_]/g, '!$&')}%`, maxFound],
  )
  return rows.map(({ name }) => name)
}

/** 0 for the very name, 1 where its last part is the term, 2 where a part begins with it, 3 for the rest. */
function likeness(name: string, term: string): number {
  if (name === term) return 0
  const parts = name.split('/')
  if (parts.at(-1) === term) return 1
  return parts.some((part) => part.startsWith(term)) ? 2 : 3
}

function wholeNumber(request: RegistryRequest, name: string, otherwise: number): number {
  const given = request.query.get(name)
  if (given === null) return otherwise
  if (/^\d{1,9}$/.test(given) && Number(given) > 0) return Number(given)
  throw new Refusal(400, 'PAGINATION_NUMBER_INVALID', `${name} is no whole number above 0`)
}
