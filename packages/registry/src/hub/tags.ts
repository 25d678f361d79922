import { createHash } from 'node:crypto'
import type { Database, Queries } from '../database/database.ts'
import type { FoundRepository } from './find-repository.ts'
import { HubError } from './hub-error.ts'
import { allIn, listMarks } from './in-list.ts'
import type { Paging } from './paging.ts'
import { readImages, type RecordedImage } from './record-images.ts'

export interface TagQuery extends Paging {
  /** What the name holds, whatever the case. */
  readonly name: string
  readonly ordering: string
}

/** A page of a repository's tags as Docker Hub shows them. */
export async function listHubTags(
  database: Database,
  repository: FoundRepository,
  { name, ordering, size, offset }: TagQuery,
  now: number,
): Promise<{ readonly count: number; readonly results: readonly object[] }> {
  const order = orders.get(ordering)
  if (order === undefined) {
    throw new HubError(400, `ordering is one of ${[...orders.keys()].join(', ')}`)
  }
  const filter = name === '' ? [] : [`%${name.slice(0, 128).replaceAll(/[!%_]/g, '!$&')}%`]
  const kind = name === '' ? 'all' : database.engine
  const rows = await database.all<TagRow>(order[kind], [repository.id, ...filter, size, offset])
  // Of a filtered page each row says how many there are in all.
  const total = kind === 'all' ? undefined : rows[0]?.total
  const counted =
    total === undefined
      ? await database.get<{ readonly count: number }>(counts[kind], [repository.id, ...filter])
      : { count: total }
  return { count: counted?.count ?? 0, results: await showTags(database, repository, rows, now) }
}

/** One tag; undefined when there is no such. */
export async function getHubTag(
  queries: Queries,
  repository: FoundRepository,
  tag: string,
  now: number,
): Promise<object | undefined> {
  const row = await queries.get<TagRow>(oneTag, [repository.id, tag])
  if (row === undefined) return undefined
  return (await showTags(queries, repository, [row], now))[0]
}

interface TagRow {
  readonly name: string
  readonly digest: string
  readonly updated_at: number
  readonly media_type: string | null
  readonly content_type: string | null
  readonly full_size: number | null
  readonly images: string | null
  readonly pushed_by: string | null
  readonly pushed_at: number | null
  readonly pulled_at: number | null
  readonly total: number
}

async function showTags(
  queries: Queries,
  repository: FoundRepository,
  rows: readonly TagRow[],
  now: number,
): Promise<readonly object[]> {
  const tags = rows.map((row) => ({
    row,
    images: row.images === null ? [] : readImages(row.images),
  }))
  const digests = new Set(tags.flatMap(({ images }) => images.map(({ digest }) => digest)))
  const pulled = new Map(
    (
      await allIn<{ readonly target: string; readonly last_at: number }>(
        queries,
        lastPulls,
        [repository.id],
        [...digests],
      )
    ).map(({ target, last_at }) => [target, last_at]),
  )
  return tags.map(({ row, images }) =>
    showTag(
      repository,
      row,
      now,
      images.map((image) => showImage(image, pulled.get(image.digest), now)),
    ),
  )
}

function showTag(
  repository: FoundRepository,
  row: TagRow,
  now: number,
  images: readonly object[],
): object {
  const pushedAt = row.pushed_at ?? row.updated_at
  return {
    creator: 0,
    id: tagId(repository.id, row.name),
    images,
    last_updated: shownTime(row.updated_at),
    last_updater: 0,
    last_updater_username: row.pushed_by ?? '',
    name: row.name,
    repository: repository.id,
    full_size: row.full_size ?? 0,
    v2: true,
    tag_status: shownStatus(now, pushedAt, row.pulled_at),
    tag_last_pulled: row.pulled_at === null ? null : shownTime(row.pulled_at),
    tag_last_pushed: shownTime(pushedAt),
    media_type: row.media_type ?? '',
    content_type: row.content_type ?? 'unrecognized',
    digest: row.digest,
  }
}

function showImage(image: RecordedImage, pulledAt: number | undefined, now: number): object {
  const { architecture, os, variant, osVersion, osFeatures, digest, size, pushedAt } = image
  return {
    architecture,
    features: '',
    variant,
    digest,
    os,
    os_features: osFeatures,
    os_version: osVersion,
    size,
    status: shownStatus(now, pushedAt, pulledAt ?? null),
    last_pulled: pulledAt === undefined ? null : shownTime(pulledAt),
    last_pushed: pushedAt === 0 ? null : shownTime(pushedAt),
  }
}

export function shownTime(at: number): string {
  return new Date(at).toISOString()
}

const activeMs = 30 * 24 * 3600 * 1000

/** Active is what was pushed or pulled in the last month. */
function shownStatus(now: number, pushedAt: number, pulledAt: number | null): string {
  return now - Math.max(pushedAt, pulledAt ?? 0) <= activeMs ? 'active' : 'inactive'
}

/** Tags have no number here: one made of repository and name, of 48 bits, is the same at every request. */
function tagId(repositoryId: number, name: string): number {
  return createHash('sha256').update(`${repositoryId}/${name}`).digest().readUIntBE(0, 6)
}

/** A filter reads all names of the repository, in an index. */
const filters = {
  all: '',
  // Whatever the case, in the words of each engine.
  sqlite: "AND name LIKE ? ESCAPE '!'",
  postgres: "AND name ILIKE ? ESCAPE '!'",
} as const

type FilterKind = keyof typeof filters

const counted = (kind: FilterKind): string =>
  `SELECT COUNT(*) AS count FROM tags WHERE repository_id = ? ${filters[kind]}`

const counts: Readonly<Record<FilterKind, string>> = {
  all: 'SELECT COALESCE(SUM(count), 0) AS count FROM tag_counts WHERE repository_id = ?',
  sqlite: counted('sqlite'),
  postgres: counted('postgres'),
}

const described = (found: string, order: string): string => `
  SELECT tags.name, tags.digest, tags.updated_at, manifests.media_type, manifest_images.content_type,
    manifest_images.full_size, manifest_images.images, tag_pushes.pushed_by, tag_pushes.pushed_at,
    pulls.last_at AS pulled_at, found.total
  FROM (${found}) AS found
  JOIN tags ON tags.repository_id = found.repository_id AND tags.name = found.name
  LEFT JOIN manifests ON manifests.repository_id = tags.repository_id AND manifests.digest = tags.digest
  LEFT JOIN manifest_images
    ON manifest_images.repository_id = tags.repository_id AND manifest_images.digest = tags.digest
  LEFT JOIN tag_pushes ON tag_pushes.repository_id = tags.repository_id AND tag_pushes.name = tags.name
  LEFT JOIN pulls ON pulls.repository_id = tags.repository_id AND pulls.target = tags.name
  ${order}`

const oneTag = described(
  'SELECT repository_id, name, 1 AS total FROM tags WHERE repository_id = ? AND name = ?',
  '',
)

/** The page is found in an index alone; only its own rows are read. */
const pageOfTags = (by: (table: string) => string): Readonly<Record<FilterKind, string>> => {
  const page = (kind: FilterKind): string =>
    described(
      `SELECT repository_id, name, ${kind === 'all' ? '0' : 'COUNT(*) OVER ()'} AS total
       FROM tags WHERE repository_id = ? ${filters[kind]} ORDER BY ${by('')} LIMIT ? OFFSET ?`,
      `ORDER BY ${by('tags.')}`,
    )
  return { all: page('all'), sqlite: page('sqlite'), postgres: page('postgres') }
}

/** By time the newest is first, as on Docker Hub; a minus turns it round. */
const orders: ReadonlyMap<string, Readonly<Record<FilterKind, string>>> = new Map([
  ['last_updated', pageOfTags((table) => `${table}updated_at DESC, ${table}name DESC`)],
  ['-last_updated', pageOfTags((table) => `${table}updated_at, ${table}name`)],
  ['name', pageOfTags((table) => `${table}name`)],
  ['-name', pageOfTags((table) => `${table}name DESC`)],
])

const lastPulls = `SELECT target, last_at FROM pulls WHERE repository_id = ? AND target IN (${listMarks})`
