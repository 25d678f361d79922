import { createHash } from 'node:crypto'
import { type Bytes, type Digest, digestAlgorithm, isKatmanError } from '@katman/oci'
import type { Database, Queries } from '../database/database.ts'
import type { Cleaner } from './cleaner.ts'

export interface ScrubOptions {
  /** At most so many bytes are read in a second. Default 50,000,000. */
  readonly bytesPerSecond?: number
  /** Waits. */
  readonly pause: (ms: number, signal: AbortSignal | undefined) => Promise<void>
  /** Is told of each blob that is not what it should be. */
  readonly onDamage?: (damage: Damage) => void
  readonly signal?: AbortSignal
  /** Ends after so many bytes; the next call goes on there. Default: after all blobs. */
  readonly maxBytes?: number
}

/** A blob whose bytes at rest were found wrong or missing. */
export interface Damage {
  readonly digest: Digest
  readonly size: number
  readonly reason: string
  readonly foundAt: number
}

export interface ScrubCount {
  readonly blobs: number
  readonly bytes: number
  readonly damaged: number
  /** Whether it came to the end: the next begins anew. */
  readonly isWhole: boolean
}

/** Where the next call goes on. */
const cursorKey = 'scrub/cursor'
/** Which blob could not be read, and how often. */
const failedKey = 'scrub/failed'
const failuresAtMost = 3
const defaultRate = 50_000_000
/** What a disk or a file system says of a place that it cannot read. */
const damageCodes = new Set(['EIO', 'EBADMSG', 'EUCLEAN'])

/**
 * Reads every blob as it is stored and compares it with its digest. What differs or is missing is quarantined: clients are told
 * that there is no such blob, instead of getting wrong bytes, and the next upload of it puts it right.
 */
export async function scrub(cleaner: Cleaner, options: ScrubOptions): Promise<ScrubCount> {
  const { database } = cleaner
  const { bytesPerSecond = defaultRate, maxBytes = Infinity, onDamage, pause, signal } = options
  let count = { blobs: 0, bytes: 0, damaged: 0, isWhole: false }
  let cursor = await readSetting(database, cursorKey)
  while (count.bytes < maxBytes) {
    signal?.throwIfAborted()
    const blob = await database.get<BlobRow>(nextBlob, [cursor])
    if (blob === undefined) {
      await writeSetting(database, cursorKey, '')
      return { ...count, isWhole: true }
    }
    const startedAt = cleaner.now()
    let reason: string | undefined
    try {
      reason = await findDamage(cleaner, blob)
    } catch (error) {
      if (!(await isHopeless(database, blob))) throw error
      const why = error instanceof Error ? error.message : String(error)
      cleaner.warn(`blob ${blob.digest} could not be read and is left out of this scrub: ${why}`)
    }
    if (reason !== undefined && (await quarantine(cleaner, blob, reason))) {
      const { digest, size } = blob
      onDamage?.({ digest, size, reason, foundAt: cleaner.now() })
      count = { ...count, damaged: count.damaged + 1 }
    }
    count = { ...count, blobs: count.blobs + 1, bytes: count.bytes + blob.size }
    cursor = blob.digest
    await writeSetting(database, cursorKey, cursor)
    const waitMs = (blob.size / bytesPerSecond) * 1000 - (cleaner.now() - startedAt)
    if (waitMs >= 1) await pause(waitMs, signal)
  }
  return count
}

/** Whether a blob failed so often that one goes on behind it: the others must be read, too. */
async function isHopeless(database: Database, { digest }: BlobRow): Promise<boolean> {
  const [before, times = '0'] = (await readSetting(database, failedKey)).split(' ')
  const failures = before === digest ? Number(times) + 1 : 1
  await writeSetting(database, failedKey, `${digest} ${failures}`)
  return failures >= failuresAtMost
}

/** The damage that no upload has put right yet. */
export function listDamage(queries: Queries, limit: number): Promise<readonly Damage[]> {
  return queries.all<Damage>(
    `SELECT d.digest, b.size, d.reason, d.found_at AS "foundAt"
      FROM damaged_blobs d JOIN blobs b ON b.digest = d.digest
      WHERE b.state = 'quarantined' ORDER BY d.found_at DESC, d.digest LIMIT ?`,
    [limit],
  )
}

interface BlobRow {
  readonly digest: Digest
  readonly size: number
  readonly object_key: string | null
  readonly data: Uint8Array | null
}

/** Why the bytes are not those of the digest; undefined when they are. An object store that is away is no damage. */
async function findDamage({ objects }: Cleaner, blob: BlobRow): Promise<string | undefined> {
  const { digest, size, object_key, data } = blob
  const hash = createHash(digestAlgorithm(digest))
  try {
    const bytes: Bytes | readonly Uint8Array[] =
      object_key === null
        ? [data ?? new Uint8Array()]
        : objects.open(object_key, { start: 0, end: size })
    for await (const chunk of bytes) hash.update(chunk)
  } catch (error) {
    if (isKatmanError(error, 'OBJECT_LOST')) return error.message
    if (error instanceof Error && 'code' in error && damageCodes.has(String(error.code)))
      return error.message
    throw error
  }
  const found = `${digestAlgorithm(digest)}:${hash.digest('hex')}`
  return found === digest ? undefined : `its bytes are those of ${found}`
}

/** False when the blob was deleted or brought anew while it was read. */
function quarantine(
  { database, now }: Cleaner,
  { digest, object_key }: BlobRow,
  reason: string,
): Promise<boolean> {
  return database.transaction(async (transaction) => {
    const changed = await transaction.run(
      `UPDATE blobs SET state = 'quarantined' WHERE digest = ? AND state = 'live'
        AND COALESCE(object_key, '') = ?`,
      [digest, object_key ?? ''],
    )
    if (changed === 0) return false
    await transaction.run(
      `INSERT INTO damaged_blobs (digest, found_at, reason) VALUES (?, ?, ?)
        ON CONFLICT (digest) DO UPDATE SET found_at = excluded.found_at, reason = excluded.reason`,
      [digest, now(), reason],
    )
    return true
  })
}

async function readSetting(queries: Queries, key: string): Promise<string> {
  const row = await queries.get<{ readonly value: string }>(
    'SELECT value FROM settings WHERE key = ?',
    [key],
  )
  return row?.value ?? ''
}

/** A power cut that takes it back makes some blobs be read twice. */
async function writeSetting(database: Database, key: string, value: string): Promise<void> {
  await database.transaction(
    (transaction) =>
      transaction.run(
        'INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
        [key, value],
      ),
    { isDurable: false },
  )
}

const nextBlob = `SELECT digest, size, object_key, data FROM blobs
  WHERE digest > ? AND state = 'live' ORDER BY digest LIMIT 1`
