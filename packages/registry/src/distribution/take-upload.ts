import { randomUUID } from 'node:crypto'
import {
  claimUpload,
  freeUpload,
  renewUpload,
  saveUpload,
  type UploadRow,
} from '../metadata/uploads.ts'
import type { DistributionContext } from './context.ts'
import { otherWriter } from './store-blob.ts'
import type { UploadHolder } from './upload-holder.ts'

/** A writer that did not say for so long that it is there is taken for dead. */
export const busyMs = 15_000
export const renewMs = 4000

/** Whether the last writer of an upload is surely over. Throws while it says that it is there. */
export function checkFree(
  { now }: DistributionContext,
  { busyUntil, holder: name }: UploadRow,
  holder: UploadHolder,
): boolean {
  if (busyUntil === 0 || (name !== undefined && holder.isGone(name))) return true
  if (busyUntil > now()) throw otherWriter()
  return false
}

/**
 * Makes this process the only one that touches the object of an upload, also to read it: bytes that another adds meanwhile
 * would be in a blob whose digest nobody checked.
 */
export async function takeUpload(
  context: DistributionContext,
  row: UploadRow,
  holder: UploadHolder,
): Promise<UploadRow> {
  const { database, now, objects } = context
  const isOver = checkFree(context, row, holder)
  const busyUntil = now() + busyMs
  const isOurs = await database.transaction(
    (transaction) => claimUpload(transaction, row, { holder: holder.name, busyUntil }),
    { isDurable: false },
  )
  if (!isOurs) throw otherWriter()
  const taken = { ...row, epoch: row.epoch + 1, busyUntil, holder: holder.name }
  if (isOver || row.object === undefined) return taken
  // The one before may only be slow, and write once more: it keeps the object, we go on with a copy.
  using _renewal = renewing(context, taken)
  const { upload, failure } = await objects.append(
    await objects.begin(randomUUID()),
    objects.readUpload(row.object),
  )
  // Nobody vouches for what was read.
  const copied = { ...taken, object: upload, digest: undefined }
  const isKept =
    failure === undefined &&
    (await database.transaction((transaction) => saveUpload(transaction, copied, { now: now() }), {
      isDurable: false,
    }))
  if (!isKept) {
    await objects.abort(upload)
    throw failure ?? otherWriter()
  }
  await objects.abort(row.object)
  return copied
}

/** Says again and again that we are still there, until it is disposed of. */
export function renewing({ database, now }: DistributionContext, taken: UploadRow): Disposable {
  const renew = (): Promise<void> =>
    database.transaction((transaction) => renewUpload(transaction, taken, now() + busyMs), {
      isDurable: false,
    })
  const timer = setInterval(() => {
    // Who came too late learns of it when it saves.
    renew().catch(() => undefined)
  }, renewMs).unref()
  return {
    [Symbol.dispose]() {
      clearInterval(timer)
    },
  }
}

/** Lets the next one in, when what was taken is left as it is. */
export async function leaveUpload(
  { database }: DistributionContext,
  taken: UploadRow,
): Promise<void> {
  const free = database.transaction((transaction) => freeUpload(transaction, taken), {
    isDurable: false,
  })
  // Then it is free when our time is over.
  await free.catch(() => undefined)
}
