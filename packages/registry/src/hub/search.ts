import type { Queries } from '../database/database.ts'
import { splitName } from './find-repository.ts'
import { badgeOf, readPages, type RepositoryPage } from './repositories.ts'

export interface SearchQuery {
  readonly term: string
  readonly offset: number
  readonly size: number
  /** Only official ones, or only others. */
  readonly isOfficial?: boolean | undefined
  /** Only those with at least so many. */
  readonly minStars?: number | undefined
}

const maxTerm = 300
/** More than so many names are not put in order. */
const maxFound = 10_000

/** The repositories the client may see whose name holds the term, the most alike first. */
export async function searchPages(
  queries: Queries,
  { term, offset, size, isOfficial, minStars = 0 }: SearchQuery,
  maySee: (repository: string) => boolean,
): Promise<{ readonly count: number; readonly rows: readonly RepositoryPage[] }> {
  const wanted = term
    .slice(0, maxTerm)
    .toLowerCase()
    .replace(/^library\//, '')
  const pattern = `%${wanted.replaceAll(/[!%_]/g, '!$&')}%`
  const found = (await queries.all<Candidate>(candidates, [pattern, maxFound]))
    .filter(
      (row) =>
        row.stars >= minStars &&
        (isOfficial === undefined || (badgeOf(row) === 'official') === isOfficial) &&
        maySee(row.name),
    )
    .toSorted(
      (left, right) =>
        likeness(left.name, wanted) - likeness(right.name, wanted) ||
        right.stars - left.stars ||
        (left.name < right.name ? -1 : 1),
    )
  const ids = found.slice(offset, offset + size).map(({ id }) => id)
  return { count: found.length, rows: await readPages(queries, ids) }
}

/** A result of `/v2/search/repositories/`. */
export function showFound(row: RepositoryPage): object {
  const { namespace, name } = splitName(row.name)
  const badge = badgeOf(row)
  return {
    repo_name: namespace === 'library' ? name : row.name,
    short_description: row.description,
    star_count: row.star_count,
    pull_count: row.pull_count,
    repo_owner: namespace === 'library' ? '' : namespace,
    is_automated: false,
    is_official: badge === 'official',
  }
}

interface Candidate {
  readonly id: number
  readonly name: string
  readonly badge: string | null
  readonly stars: number
}

/** 0 for the very name, 1 where its last part is the term, 2 where a part begins with it, 3 for the rest. */
function likeness(name: string, term: string): number {
  if (splitName(name).name === term) return name === term ? 0 : 1
  const parts = name.split('/')
  if (parts.at(-1) === term) return 1
  return parts.some((part) => part.startsWith(term)) ? 2 : 3
}

const candidates = `SELECT r.id, r.name, p.badge,
    (SELECT COUNT(*) FROM stars s WHERE s.repository_id = r.id) AS stars
  FROM repositories r LEFT JOIN repository_pages p ON p.repository_id = r.id
  WHERE r.name LIKE ? ESCAPE '!' ORDER BY r.name LIMIT ?`
