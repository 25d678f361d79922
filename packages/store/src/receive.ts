import { createHash, type Hash } from 'node:crypto'
import path from 'node:path'
import { type Descriptor, digestAlgorithm, digestHex, isKatmanError } from '@katman/oci'
import { digestMismatch, type Opener, sizeMismatch, type WriteOptions } from '@katman/transfer'
import type { StoreContext } from './context.ts'
import { isFileError } from './clear-errors.ts'
import { encodeRecord } from './record-file.ts'
import { announceSpace } from './space.ts'
import { quietly, writeNewFile } from './publish.ts'

/** Written at once when the device is idle … */
const smallBatchBytes = 256 * 1024
/** … waited for when it is not … */
const largeBatchBytes = 1024 * 1024
/** … and a slow source loses no more than this to a kill. */
const maxBatchAgeMs = 200

/**
 * Receives content into `data` of an owned ingest folder and leaves it there, verified and flushed. Bytes
 * of an earlier attempt, of whatever process, are hashed and kept; when they turn out to be wrong,
 * everything is fetched anew, once. A stream that ends early leaves its bytes for the next attempt.
 * `meanwhile` runs on the verified file while the device catches up.
 */
export async function receive<T>(
  context: StoreContext,
  descriptor: Descriptor,
  folder: string,
  open: Opener,
  options: WriteOptions,
  meanwhile: (file: string) => Promise<T>,
): Promise<T> {
  const { files } = context
  const file = path.join(folder, 'data')
  await writeState(context, descriptor, folder)
  const handle = files.open(file, 'update')
  let result: T
  try {
    await receiveInto(context, descriptor, handle, open, options)
    options.onProgress?.({ state: 'received' })
    const [flushed, done] = await Promise.allSettled([files.fsync(handle), meanwhile(file)])
    if (flushed.status === 'rejected') throw flushed.reason
    if (done.status === 'rejected') throw done.reason
    result = done.value
  } catch (error) {
    quietly(() => files.close(handle))
    throw error
  }
  files.close(handle)
  return result
}

/** True when the bytes received so far are worth keeping after this error. */
export function keepsPartial(error: unknown): boolean {
  if (isKatmanError(error, 'LAYER_CONTENT_MISMATCH') || isKatmanError(error, 'DIGEST_MISMATCH')) {
    return false
  }
  if (isKatmanError(error, 'SIZE_MISMATCH')) {
    const { size, actual } = error.details
    return typeof size === 'number' && typeof actual === 'number' && actual < size
  }
  return !isFileError(error)
}

async function receiveInto(
  context: StoreContext,
  descriptor: Descriptor,
  handle: number,
  open: Opener,
  options: WriteOptions,
): Promise<void> {
  const { files } = context
  let kept = files.statOpen(handle).size
  if (kept > descriptor.size) {
    files.truncate(handle, 0)
    kept = 0
  }
  try {
    await receiveFrom(context, descriptor, handle, kept, open, options)
  } catch (error) {
    const isTurned = isKatmanError(error, 'DIGEST_MISMATCH')
    const isWrong = isTurned || (kept > 0 && isKatmanError(error, 'SIZE_MISMATCH'))
    if (!isWrong || keepsPartial(error)) throw error
    // What was kept, what was added to it, or a bit on the way was wrong: once more, in one piece, can tell.
    files.truncate(handle, 0)
    await receiveFrom(context, descriptor, handle, 0, open, options)
  }
}

async function receiveFrom(
  context: StoreContext,
  descriptor: Descriptor,
  handle: number,
  start: number,
  open: Opener,
  options: WriteOptions,
): Promise<void> {
  const hash = createHash(digestAlgorithm(descriptor.digest))
  await hashKept(context, handle, start, hash, options)
  let received = start
  if (start > 0) options.onProgress?.({ state: 'receiving', bytes: start })
  if (start < descriptor.size || descriptor.size === 0) {
    received = await receiveRest(context, descriptor, handle, start, open, options, hash)
  }
  if (received < descriptor.size) throw sizeMismatch(descriptor, received, context.name)
  options.onProgress?.({ state: 'verifying' })
  const actual = hash.digest('hex')
  if (actual !== digestHex(descriptor.digest)) {
    throw digestMismatch(descriptor, actual, context.name)
  }
}

async function hashKept(
  context: StoreContext,
  handle: number,
  size: number,
  hash: Hash,
  options: WriteOptions,
): Promise<void> {
  const buffer = Buffer.allocUnsafeSlow(Math.min(size, largeBatchBytes))
  for (let position = 0; position < size;) {
    options.signal?.throwIfAborted()
    const rest = buffer.subarray(0, Math.min(buffer.byteLength, size - position))
    const count = await context.files.read(handle, rest, position)
    if (count === 0) return
    hash.update(rest.subarray(0, count))
    position += count
  }
}

/** Hashes here while the thread pool writes. Returns how far the content came. */
async function receiveRest(
  context: StoreContext,
  descriptor: Descriptor,
  handle: number,
  start: number,
  open: Opener,
  options: WriteOptions,
  hash: Hash,
): Promise<number> {
  const { files } = context
  const space = announceSpace(context, `content ${descriptor.digest}`, descriptor.size - start)
  let received = start
  let batch: Uint8Array[] = []
  let batchStart = start
  let batchedAt = performance.now()
  let isIdle = true
  let writing: Promise<void> = Promise.resolve()
  const flush = async (): Promise<void> => {
    await writing
    if (batch.length === 0) return
    const chunks = batch
    const position = batchStart
    const bytes = received - batchStart
    batch = []
    batchStart = received
    batchedAt = performance.now()
    isIdle = false
    writing = files.write(handle, chunks, position).then(() => {
      isIdle = true
      space.written(bytes)
    })
    // Awaited by the next flush, which sees the failure.
    writing.catch(() => {})
    options.onProgress?.({ state: 'receiving', bytes: received })
  }
  try {
    for await (const chunk of await open(start)) {
      options.signal?.throwIfAborted()
      if (received + chunk.byteLength > descriptor.size) {
        throw sizeMismatch(descriptor, received + chunk.byteLength, context.name)
      }
      hash.update(chunk)
      batch.push(chunk)
      received += chunk.byteLength
      const waiting = received - batchStart
      const isDue =
        waiting >= largeBatchBytes ||
        (isIdle && (waiting >= smallBatchBytes || performance.now() - batchedAt > maxBatchAgeMs))
      if (isDue) await flush()
    }
  } finally {
    // Also after a failure: what came is kept for the next attempt.
    try {
      await flush()
      await writing
    } finally {
      space.release()
    }
  }
  return received
}

/** What the folder is for; a damaged one is written anew. */
async function writeState(
  context: StoreContext,
  descriptor: Descriptor,
  folder: string,
): Promise<void> {
  const { files } = context
  const file = path.join(folder, 'state')
  const { mediaType, digest, size } = descriptor
  const state = encodeRecord({ mediaType, digest, size, startedAt: context.now().toISOString() })
  if (files.stat(file)?.size === state.byteLength) return
  const temporary = path.join(folder, 'state.new')
  quietly(() => files.unlink(temporary))
  await writeNewFile(files, temporary, state)
  files.rename(temporary, file)
}
