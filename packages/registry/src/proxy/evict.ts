import type { Digest } from '@katman/oci'
import type { Database } from '../database/database.ts'
import type { Content } from './content.ts'
import type { Upstream } from './upstream.ts'

export interface EvictOptions {
  readonly database: Database
  readonly content: Content
  readonly upstreams: readonly Upstream[]
  readonly now: () => number
  readonly signal?: AbortSignal
}

interface Candidate {
  readonly repository: string
  readonly digest: Digest
  readonly used_at: number
}

const dayMs = 86_400_000
const batchSize = 100

/**
 * Removes cached manifests that were not used for too long, and the longest unused ones while an upstream's content is larger than it
 * may be. Their blobs become garbage, which the clean-up removes. How many manifests that were.
 */
export async function evict(options: EvictOptions): Promise<number> {
  const { database, upstreams, now } = options
  let removed = 0
  for (const { keepBytes, keepDays, registry } of upstreams) {
    if (keepDays !== undefined) {
      const before = now() - keepDays * dayMs
      for (;;) {
        const batch = await listUnused(database, registry, before)
        if (batch.length === 0) break
        removed += await remove(options, batch)
      }
    }
    if (keepBytes === undefined) continue
    let size = await cachedBytes(database, registry)
    while (size > keepBytes) {
      const [oldest] = await listUnused(database, registry, Number.MAX_SAFE_INTEGER)
      if (oldest === undefined) break
      size -= await soleBytes(database, oldest)
      removed += await remove(options, [oldest])
    }
  }
  return removed
}

function listUnused(
  database: Database,
  upstream: string,
  before: number,
): Promise<readonly Candidate[]> {
  return database.all<Candidate>(
    `SELECT m.repository, m.digest, m.used_at FROM proxy_manifests m
     JOIN proxy_repositories p ON p.repository = m.repository
     WHERE p.upstream = ? AND m.used_at < ? ORDER BY m.used_at, m.repository, m.digest LIMIT ?`,
    [upstream, before, batchSize],
  )
}

async function remove(options: EvictOptions, batch: readonly Candidate[]): Promise<number> {
  const { content, database, signal } = options
  let removed = 0
  for (const { digest, repository, used_at: usedAt } of batch) {
    signal?.throwIfAborted()
    const forgotten = await database.run(
      'DELETE FROM proxy_manifests WHERE repository = ? AND digest = ? AND used_at = ?',
      [repository, digest, usedAt],
    )
    // Somebody has used it since it was listed.
    if (forgotten === 0) continue
    if (await content.deleteManifest(repository, digest)) removed++
  }
  return removed
}

/** What the repositories of an upstream hold, each content once. */
export async function cachedBytes(database: Database, upstream: string): Promise<number> {
  const row = await database.get<{ readonly bytes: number | null }>(
    `SELECT SUM(b.size) AS bytes FROM blobs b WHERE b.digest IN (
       SELECT l.digest FROM repository_blobs l
       JOIN repositories r ON r.id = l.repository_id
       JOIN proxy_repositories p ON p.repository = r.name WHERE p.upstream = ?
     ) AND b.state = 'live'`,
    [upstream],
  )
  return Number(row?.bytes ?? 0)
}

/** What becomes garbage with a manifest: blobs that no other one of its repository names. */
async function soleBytes(
  database: Database,
  { digest, repository }: Pick<Candidate, 'digest' | 'repository'>,
): Promise<number> {
  const row = await database.get<{ readonly bytes: number | null }>(
    `SELECT SUM(b.size) AS bytes FROM manifest_blobs m
     JOIN repositories r ON r.id = m.repository_id
     JOIN repository_blobs l ON l.repository_id = m.repository_id AND l.digest = m.digest
     JOIN blobs b ON b.digest = m.digest
     WHERE r.name = ? AND m.manifest = ? AND NOT EXISTS (
       SELECT 1 FROM manifest_blobs o
       WHERE o.repository_id = m.repository_id AND o.digest = m.digest AND o.manifest <> m.manifest
     )`,
    [repository, digest],
  )
  return Number(row?.bytes ?? 0)
}
