import { randomUUID } from 'node:crypto'
import type { Bytes } from '@katman/oci'
import { saveUpload, type UploadRow } from '../metadata/uploads.ts'
import type { Asked, DistributionContext } from './context.ts'
import type { IncomingBody } from './incoming-body.ts'
import type { LiveUpload } from './live-uploads.ts'
import { Refusal } from '../refusal.ts'
import { otherWriter } from './store-blob.ts'
import { busyMs, checkFree, renewing, renewMs, takeUpload } from './take-upload.ts'
import type { UploadHolder } from './upload-holder.ts'

/** An object is written so far before its row says so. */
const partBytes = 64 * 1024 * 1024
const checkpointMs = 30_000

const none = new Uint8Array()

/**
 * Adds a body to an upload. Returns the row as it is then; when the body fails, what arrived is written down first. Only
 * who knows the newest row gets so far: everybody else is refused. Who may no longer push is stopped between two parts.
 */
export async function appendBody(
  context: DistributionContext,
  row: UploadRow,
  body: IncomingBody,
  live: LiveUpload,
  { holder, asked }: { readonly holder: UploadHolder; readonly asked: Asked },
): Promise<UploadRow> {
  live.arriving = () => row.size + body.received
  // Who cannot have it is told before the body is read.
  checkFree(context, row, holder)
  const room = row.object === undefined ? context.limits.inlineBytes - row.size : 0
  const few = await body.whole(Math.max(0, room), Math.min(renewMs, pauseOf(context)))
  if (few === undefined) {
    const taken = await takeUpload(context, row, holder)
    return appendParts(context, taken, body, live, asked)
  }
  const saved = few.arrived.byteLength === 0 ? row : await saveFew(context, row, few.arrived, live)
  if (few.failure !== undefined) throw few.failure
  return saved
}

/** All there is goes into the row, in one step: whoever wrote since the row was read wins. */
async function saveFew(
  context: DistributionContext,
  row: UploadRow,
  arrived: Uint8Array,
  live: LiveUpload,
): Promise<UploadRow> {
  live.hash?.update(arrived)
  const grown = {
    ...row,
    digest: live.hash?.digest(),
    data: Buffer.concat([row.data, arrived]),
    size: row.size + arrived.byteLength,
    epoch: row.epoch + 1,
    busyUntil: 0,
  }
  await save(context, grown, live, row.epoch)
  return grown
}

async function appendParts(
  context: DistributionContext,
  taken: UploadRow,
  body: IncomingBody,
  live: LiveUpload,
  { admitAgain }: Asked,
): Promise<UploadRow> {
  const { now, objects } = context
  let row = taken
  using _renewal = renewing(context, taken)
  let object = row.object ?? (await objects.begin(randomUUID()))
  // Nobody else knows of it before it is in the row.
  let isUnknown = row.object === undefined
  let bytes: Bytes = hashed(body.part(partBytes, pauseOf(context)), live, row.data)
  for (;;) {
    const result = await objects.append(object, bytes)
    object = result.upload
    const isLast = body.isDone || result.failure !== undefined
    // The store did not keep all that was hashed.
    if (object.size !== live.size) live.hash = undefined
    row = {
      ...row,
      object,
      size: object.size,
      data: none,
      // A copy of the state of a hash costs little, but not nothing.
      digest: isLast ? live.hash?.digest() : undefined,
      busyUntil: isLast ? 0 : now() + busyMs,
    }
    try {
      await save(context, row, live)
    } catch (error) {
      if (isUnknown && error instanceof Refusal) await objects.abort(object)
      throw error
    }
    isUnknown = false
    if (result.failure !== undefined) throw result.failure
    if (isLast) return row
    await admitAgain?.()
    bytes = hashed(body.part(partBytes, pauseOf(context)), live, none)
  }
}

/** `before` was hashed when it came. */
async function* hashed(chunks: Bytes, live: LiveUpload, before: Uint8Array): Bytes {
  if (before.byteLength > 0) yield before
  for await (const chunk of chunks) {
    live.hash?.update(chunk)
    live.size += chunk.byteLength
    yield chunk
  }
}

async function save(
  { database, now }: DistributionContext,
  row: UploadRow,
  live: LiveUpload,
  before = row.epoch,
): Promise<void> {
  const isOurs = await database.transaction(
    (transaction) => saveUpload(transaction, row, { now: now(), before }),
    { isDurable: false },
  )
  live.epoch = row.epoch
  live.size = row.size
  if (isOurs) return
  // What is there now came from another.
  live.hash = undefined
  throw otherWriter()
}

function pauseOf({ objects }: DistributionContext): number {
  return objects.checkpointMs ?? checkpointMs
}
