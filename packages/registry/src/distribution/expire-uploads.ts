import type { Database } from '../database/database.ts'
import {
  claimUpload,
  listStaleUploads,
  postponeUpload,
  removeUpload,
  type UploadRow,
} from '../metadata/uploads.ts'
import type { ObjectStore } from '../object-store.ts'

interface Where {
  readonly database: Database
  readonly objects: ObjectStore
}

/** So many are given up at once. */
const batchSize = 100
/** One that cannot be given up is tried again after so long. */
const postponedMs = 3_600_000

interface ExpireOptions {
  readonly signal?: AbortSignal | undefined
  /** Is told of each upload that could not be given up: the others are, and it is tried again in an hour. Default: throws. */
  readonly onFailure?: (row: UploadRow, error: unknown) => void
}

/** Gives up the uploads that nobody went on with since `before` (milliseconds since 1970). How many that were. */
export async function expireUploads(
  where: Where,
  before: number,
  { signal, onFailure }: ExpireOptions = {},
): Promise<number> {
  let count = 0
  for (;;) {
    signal?.throwIfAborted()
    const stale = await listStaleUploads(where.database, before, batchSize)
    let [given, postponed] = [0, 0]
    for (const row of stale) {
      try {
        if (await giveUpUpload(where, row)) given += 1
      } catch (error) {
        if (onFailure === undefined) throw error
        onFailure(row, error)
        await postponeUpload(where.database, row.id, { before, until: before + postponedMs })
        postponed += 1
      }
    }
    count += given
    // Those that somebody went on with just now are young again.
    if (stale.length < batchSize || given + postponed === 0) return count
  }
}

/** Forgets an upload and its bytes, unless somebody went on with it since its row was read. Whether it is gone. */
export async function giveUpUpload({ database, objects }: Where, row: UploadRow): Promise<boolean> {
  const { object } = row
  if (object === undefined) return removeUpload(database, row)
  // Nobody can make it a blob from here on; when we are killed, the row is found again.
  if (!(await claimUpload(database, row, { holder: '', busyUntil: 0 }))) return false
  await objects.abort(object)
  return removeUpload(database, { id: row.id, epoch: row.epoch + 1 })
}
