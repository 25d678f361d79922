import type { Digest } from '@katman/oci'
import type { Queries } from '../database/database.ts'
import type { ObjectUpload } from '../object-store.ts'

/** An upload as its row says. Nothing of it can be read before it is a blob. */
export interface UploadRow {
  readonly id: string
  readonly repository: string
  /** Bytes that arrived. */
  readonly size: number
  /** The bytes, while they are few. */
  readonly data: Uint8Array
  /** The object that has them otherwise. */
  readonly object: ObjectUpload | undefined
  /** Of all bytes so far, when who wrote them knew it. */
  readonly digest: Digest | undefined
  /** Counts who wrote; the one with the number of the row may write. */
  readonly epoch: number
  /** Until when that one is believed to be alive; 0 when nobody writes. */
  readonly busyUntil: number
  /** Who that is. */
  readonly holder: string | undefined
}

export interface NewUpload {
  readonly id: string
  readonly repository: string
  readonly actor: string | undefined
  readonly now: number
}

interface Row {
  readonly id: string
  readonly repository: string
  readonly size: number
  readonly data: Uint8Array | null
  readonly state: string | null
  readonly digest: Digest | null
  readonly epoch: number
  readonly busy_until: number
  readonly holder: string | null
}

const columns = 'id, repository, size, data, state, digest, epoch, busy_until, holder'

export async function addUpload(
  queries: Queries,
  { id, repository, actor, now }: NewUpload,
): Promise<void> {
  await queries.run(
    `INSERT INTO uploads (id, repository, actor, size, epoch, busy_until, started_at, updated_at)
     VALUES (?, ?, ?, 0, 0, 0, ?, ?)`,
    [id, repository, actor ?? null, now, now],
  )
}

export async function countUploads(queries: Queries, actor: string): Promise<number> {
  const row = await queries.get<{ readonly count: number }>(
    'SELECT COUNT(*) AS count FROM uploads WHERE actor = ?',
    [actor],
  )
  return row?.count ?? 0
}

/** An upload is for who began it; one that nobody signed in for is for whoever knows its id. */
export async function findUpload(
  queries: Queries,
  repository: string,
  id: string,
  actor?: string,
): Promise<UploadRow | undefined> {
  const row = await queries.get<Row>(
    `SELECT ${columns} FROM uploads WHERE id = ? AND repository = ? AND (actor IS NULL OR actor = ?)`,
    [id, repository, actor ?? null],
  )
  return row && uploadOf(row)
}

/** Uploads that nobody went on with since `before`, the oldest first. */
export async function listStaleUploads(
  queries: Queries,
  before: number,
  limit: number,
): Promise<readonly UploadRow[]> {
  const rows = await queries.all<Row>(
    `SELECT ${columns} FROM uploads WHERE updated_at < ? ORDER BY updated_at LIMIT ?`,
    [before, limit],
  )
  return rows.map(uploadOf)
}

/** Makes a stale upload so young that it is stale again only when `before` has come to be `until`. */
export async function postponeUpload(
  queries: Queries,
  id: string,
  { before, until }: { readonly before: number; readonly until: number },
): Promise<void> {
  await queries.run('UPDATE uploads SET updated_at = ? WHERE id = ? AND updated_at < ?', [
    until,
    id,
    before,
  ])
}

function uploadOf(row: Row): UploadRow {
  return {
    id: row.id,
    repository: row.repository,
    size: row.size,
    data: row.data ?? new Uint8Array(),
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only saveUpload writes it
    object: row.state === null ? undefined : (JSON.parse(row.state) as ObjectUpload),
    digest: row.digest ?? undefined,
    epoch: row.epoch,
    busyUntil: row.busy_until,
    holder: row.holder ?? undefined,
  }
}

/** Takes an upload for writing if nobody took it since it was read. Whether that was so. */
export async function claimUpload(
  queries: Queries,
  { id, epoch }: UploadRow,
  { holder, busyUntil }: { readonly holder: string; readonly busyUntil: number },
): Promise<boolean> {
  const changed = await queries.run(
    'UPDATE uploads SET epoch = epoch + 1, busy_until = ?, holder = ? WHERE id = ? AND epoch = ?',
    [busyUntil, holder, id, epoch],
  )
  return changed === 1
}

/**
 * Writes down how far an upload is, for the one who has it; or takes it at the same time, when `before` is the epoch it was
 * read with. False when another took it.
 */
export async function saveUpload(
  queries: Queries,
  { id, epoch, size, data, object, digest, busyUntil }: Omit<UploadRow, 'repository' | 'holder'>,
  { now, before = epoch }: { readonly now: number; readonly before?: number },
): Promise<boolean> {
  const changed = await queries.run(
    `UPDATE uploads SET epoch = ?, size = ?, data = ?, state = ?, digest = ?, busy_until = ?, updated_at = ?
     WHERE id = ? AND epoch = ?`,
    [
      epoch,
      size,
      data.byteLength === 0 ? null : data,
      object === undefined ? null : JSON.stringify(object),
      digest ?? null,
      busyUntil,
      now,
      id,
      before,
    ],
  )
  return changed === 1
}

/** Says that the one who has an upload is still there; not of one who is done with it. */
export async function renewUpload(
  queries: Queries,
  { id, epoch }: Pick<UploadRow, 'id' | 'epoch'>,
  busyUntil: number,
): Promise<void> {
  await queries.run(
    'UPDATE uploads SET busy_until = ? WHERE id = ? AND epoch = ? AND busy_until <> 0',
    [busyUntil, id, epoch],
  )
}

/** Says that the one who had an upload is done with it. */
export async function freeUpload(
  queries: Queries,
  { id, epoch }: Pick<UploadRow, 'id' | 'epoch'>,
): Promise<void> {
  await queries.run('UPDATE uploads SET busy_until = 0 WHERE id = ? AND epoch = ?', [id, epoch])
}

/** Forgets an upload, for the one who has it. False when another took it. */
export async function removeUpload(
  queries: Queries,
  { id, epoch }: Pick<UploadRow, 'id' | 'epoch'>,
): Promise<boolean> {
  return (await queries.run('DELETE FROM uploads WHERE id = ? AND epoch = ?', [id, epoch])) === 1
}
