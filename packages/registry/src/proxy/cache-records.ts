import type { Digest } from '@katman/oci'
import type { Database } from '../database/database.ts'

/** What the database knows about a repository in view of upstreams. */
export interface RepositoryRecord {
  readonly exists: boolean
  /** The upstream it caches; undefined for one that people push to. */
  readonly upstream: string | undefined
}

export async function findRecord(
  database: Database,
  repository: string,
): Promise<RepositoryRecord> {
  const row = await database.get<{ readonly id: number | null; readonly upstream: string | null }>(
    `SELECT (SELECT id FROM repositories WHERE name = ?) AS id,
       (SELECT upstream FROM proxy_repositories WHERE repository = ?) AS upstream`,
    [repository, repository],
  )
  return { exists: typeof row?.id === 'number', upstream: row?.upstream ?? undefined }
}

/** Marks a repository as a cache, unless people push to it. Whether it is one now. */
export async function markCached(
  database: Database,
  mark: {
    readonly repository: string
    readonly upstream: string
    readonly remote: string
    readonly now: number
  },
): Promise<boolean> {
  const known = await findRecord(database, mark.repository)
  if (known.upstream === mark.upstream) return true
  return database.transaction(async (transaction) => {
    await transaction.run(
      `INSERT INTO proxy_repositories (repository, upstream, remote, created_at)
       SELECT CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS BIGINT)
       WHERE NOT EXISTS (SELECT 1 FROM repositories WHERE name = ?)
       ON CONFLICT (repository) DO UPDATE SET upstream = excluded.upstream, remote = excluded.remote`,
      [mark.repository, mark.upstream, mark.remote, mark.now, mark.repository],
    )
    const row = await transaction.get(
      'SELECT 1 AS one FROM proxy_repositories WHERE repository = ?',
      [mark.repository],
    )
    return row !== undefined
  })
}

/** When the upstream said last what the tag stands for; undefined for never. */
export async function findChecked(
  database: Database,
  repository: string,
  tag: string,
): Promise<number | undefined> {
  const row = await database.get<{ readonly checked_at: number }>(
    'SELECT checked_at FROM proxy_tags WHERE repository = ? AND tag = ?',
    [repository, tag],
  )
  return row?.checked_at
}

export async function setChecked(
  database: Database,
  repository: string,
  tag: string,
  now: number,
): Promise<void> {
  // Lost, it is asked once more.
  await database.transaction(
    (transaction) =>
      transaction.run(
        `INSERT INTO proxy_tags (repository, tag, checked_at) VALUES (?, ?, ?)
         ON CONFLICT (repository, tag) DO UPDATE SET checked_at = excluded.checked_at`,
        [repository, tag, now],
      ),
    { isDurable: false },
  )
}

export async function setUsed(
  database: Database,
  repository: string,
  digest: Digest,
  now: number,
): Promise<void> {
  await database.transaction(
    (transaction) =>
      transaction.run(
        `INSERT INTO proxy_manifests (repository, digest, used_at) VALUES (?, ?, ?)
         ON CONFLICT (repository, digest) DO UPDATE SET used_at = excluded.used_at`,
        [repository, digest, now],
      ),
    { isDurable: false },
  )
}

/** Takes a fetch until a time, or takes it again. False while another replica has it. */
export async function takeFetch(
  database: Database,
  fetch: {
    readonly repository: string
    readonly reference: string
    readonly holder: string
    readonly now: number
    readonly until: number
  },
): Promise<boolean> {
  const { holder, now, reference, repository, until } = fetch
  const taken = await database.transaction(
    (transaction) =>
      transaction.run(
        `INSERT INTO proxy_fetches (repository, reference, holder, lease_until) VALUES (?, ?, ?, ?)
         ON CONFLICT (repository, reference) DO UPDATE SET holder = excluded.holder, lease_until = excluded.lease_until
         WHERE proxy_fetches.holder = excluded.holder OR proxy_fetches.lease_until < ?`,
        [repository, reference, holder, until, now],
      ),
    { isDurable: false },
  )
  return taken === 1
}

export async function releaseFetch(
  database: Database,
  {
    holder,
    reference,
    repository,
  }: { readonly repository: string; readonly reference: string; readonly holder: string },
): Promise<void> {
  await database.transaction(
    (transaction) =>
      transaction.run(
        'DELETE FROM proxy_fetches WHERE repository = ? AND reference = ? AND holder = ?',
        [repository, reference, holder],
      ),
    { isDurable: false },
  )
}

const dayMs = 86_400_000

/** Forgets when tags were checked that nobody asks for any more, and fetches whose processes died. */
export async function forgetOld(database: Database, now: number): Promise<void> {
  await database.run('DELETE FROM proxy_tags WHERE checked_at < ?', [now - 90 * dayMs])
  await database.run('DELETE FROM proxy_fetches WHERE lease_until < ?', [now - dayMs])
}
