import type { Queries } from '../database/database.ts'
import { parseCategories } from './edit-repository.ts'
import { isOfficial, splitName } from './find-repository.ts'
import { HubError } from './hub-error.ts'
import { allIn, listMarks } from './in-list.ts'
import type { Paging } from './paging.ts'
import { shownTime } from './tags.ts'

export interface RepositoryPage {
  readonly id: number
  readonly name: string
  readonly created_at: number
  readonly description: string
  readonly full_description: string
  readonly categories: string
  readonly badge: string | null
  readonly pull_count: number
  readonly pulled_at: number | null
  readonly star_count: number
  readonly pushed_at: number | null
}

/** All that is known of one. */
export function readPage(queries: Queries, id: number): Promise<RepositoryPage | undefined> {
  return queries.get<RepositoryPage>(onePage, [id])
}

/** What is known of some repositories, in the order of their ids given, without the long descriptions. */
export async function readPages(
  queries: Queries,
  ids: readonly number[],
): Promise<readonly RepositoryPage[]> {
  const found = await allIn<RepositoryPage>(queries, somePages, [], ids)
  const rows = new Map(found.map((row) => [row.id, row]))
  return ids.flatMap((id) => rows.get(id) ?? [])
}

/** A page of the repositories of a namespace that the client may see. */
export async function listNamespace(
  queries: Queries,
  namespace: string,
  { ordering, name, size, offset }: Paging & { readonly ordering: string; readonly name: string },
  maySee: (repository: string) => boolean,
): Promise<{ readonly count: number; readonly rows: readonly RepositoryPage[] }> {
  const sql = orders.get(ordering)
  if (sql === undefined) {
    throw new HubError(400, `ordering is one of ${[...orders.keys()].join(', ')}`)
  }
  const wanted = name.toLowerCase()
  const seen = (
    await queries.all<{ readonly id: number; readonly name: string }>(sql, [namespace])
  ).filter((row) => splitName(row.name).name.includes(wanted) && maySee(row.name))
  const ids = seen.slice(offset, offset + size).map(({ id }) => id)
  return { count: seen.length, rows: await readPages(queries, ids) }
}

/** Whether only some may pull from a repository of this name. */
export type IsPrivate = (repository: string) => boolean

/** A repository in a list. */
export function showListed(row: RepositoryPage, isPrivate: IsPrivate): object {
  const { namespace, name } = splitName(row.name)
  return {
    name,
    namespace,
    repository_type: 'image',
    status: 1,
    status_description: 'active',
    description: row.description,
    is_private: isPrivate(row.name),
    star_count: row.star_count,
    pull_count: row.pull_count,
    last_updated: shownTime(row.pushed_at ?? row.created_at),
    last_modified: shownTime(row.pushed_at ?? row.created_at),
    date_registered: shownTime(row.created_at),
    affiliation: '',
    media_types: [],
    content_types: ['image'],
    categories: parseCategories(row.categories),
    is_automated: false,
    is_official: badgeOf(row) === 'official',
    badge: badgeOf(row),
    last_pulled: row.pulled_at === null ? null : shownTime(row.pulled_at),
  }
}

/** A repository by itself. */
export function showRepository(
  row: RepositoryPage,
  may: { readonly read: boolean; readonly write: boolean; readonly admin: boolean },
  { hasStarred, isPrivate }: { readonly hasStarred: boolean; readonly isPrivate: IsPrivate },
): object {
  const { namespace } = splitName(row.name)
  return {
    user: namespace,
    ...showListed(row, isPrivate),
    hub_user: namespace,
    has_starred: hasStarred,
    collaborator_count: 0,
    full_description: row.full_description,
    permissions: may,
  }
}

/** `official`, another one that was given to it, or none. */
export function badgeOf({ name, badge }: Pick<RepositoryPage, 'name' | 'badge'>): string | null {
  if (badge !== null) return badge === 'none' ? null : badge
  return isOfficial(splitName(name).namespace) ? 'official' : null
}

const columns = (fullDescription: string): string => `r.id, r.name, r.created_at,
  COALESCE(p.description, '') AS description, ${fullDescription} AS full_description,
  COALESCE(p.categories, '[]') AS categories, p.badge,
  COALESCE(c.count, 0) AS pull_count, c.last_at AS pulled_at,
  (SELECT COUNT(*) FROM stars s WHERE s.repository_id = r.id) AS star_count,
  (SELECT MAX(t.updated_at) FROM tags t WHERE t.repository_id = r.id) AS pushed_at`

const tables = `repositories r
  LEFT JOIN repository_pages p ON p.repository_id = r.id
  LEFT JOIN pulls c ON c.repository_id = r.id AND c.target = ''`

const somePages = `SELECT ${columns("''")} FROM ${tables} WHERE r.id IN (${listMarks})`

const onePage = `SELECT ${columns("COALESCE(p.full_description, '')")} FROM ${tables} WHERE r.id = ?`

/** Where both `nginx` and `library/nginx` are, the second is the one of this name. */
const ofNamespace = (key: string, order: string): string => `
  SELECT r.id, r.name FROM (SELECT r.id, r.name, r.created_at, ${key} AS sort_key FROM ${tables} WHERE r.namespace = ?) AS r
  WHERE NOT EXISTS (SELECT 1 FROM repositories o WHERE o.name = 'library/' || r.name)
  ORDER BY ${order}`

const shownName = "CASE WHEN r.name LIKE 'library/%' THEN SUBSTR(r.name, 9) ELSE r.name END"

const orders: ReadonlyMap<string, string> = new Map(
  (
    [
      [
        'last_updated',
        'COALESCE((SELECT MAX(t.updated_at) FROM tags t WHERE t.repository_id = r.id), r.created_at)',
        'DESC',
      ],
      ['name', shownName, 'ASC'],
      ['pull_count', 'COALESCE(c.count, 0)', 'DESC'],
      ['star_count', '(SELECT COUNT(*) FROM stars s WHERE s.repository_id = r.id)', 'DESC'],
    ] as const
  ).flatMap(([name, key, direction]) => [
    [name, ofNamespace(key, `sort_key ${direction}, r.name`)],
    [`-${name}`, ofNamespace(key, `sort_key ${direction === 'ASC' ? 'DESC' : 'ASC'}, r.name`)],
  ]),
)
