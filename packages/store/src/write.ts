import { createHash, randomUUID } from 'node:crypto'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestHex,
  isKatmanError,
} from '@katman/oci'
import { type Opener, verified, type WriteOptions } from '@katman/transfer'
import { blobState, openBlob, publishBlob, quarantine } from './blobs.ts'
import { type Claim, tryClaim } from './claim.ts'
import { isFileError } from './clear-errors.ts'
import { requireWritable, type StoreContext } from './context.ts'
import { hasLayer, prepareLayer, type PreparedLayer } from './layers.ts'
import { fileName } from './layout.ts'
import { quietly, writeNewFile } from './publish.ts'
import { keepsPartial, receive } from './receive.ts'
import { unknownReferrer, writeReferrer } from './referrer-files.ts'
import { announceSpace } from './space.ts'

/** Content up to this size is not worth resuming or waiting for. */
const maxWholeBytes = 64 * 1024

/** {@link Target.has} of the store: holds the content, then looks. */
export async function hasContent(
  context: StoreContext,
  descriptor: Descriptor,
  diffID?: Digest,
): Promise<boolean> {
  holdContent(context, descriptor, diffID)
  const missing = await missingPart(context, descriptor, diffID)
  if (missing !== 'fact') return missing === undefined
  // Written before the store kept facts, or by a process that died right then: the content tells it.
  if (context.readOnly === undefined) await recordReferrer(context, descriptor)
  return true
}

/**
 * {@link Target.write} of the store. One process fetches a digest; the others wait and find it, or go on
 * where a dead one stopped.
 */
export async function writeContent(
  context: StoreContext,
  descriptor: Descriptor,
  open: Opener,
  options: WriteOptions,
): Promise<void> {
  requireWritable(context)
  const { writing } = context
  for (;;) {
    const other = writing.get(descriptor.digest)
    if (other === undefined) break
    await other.catch(() => {})
    options.signal?.throwIfAborted()
  }
  const job = writeAlone(context, descriptor, open, options)
  writing.set(descriptor.digest, job)
  try {
    await job
  } finally {
    writing.delete(descriptor.digest)
  }
}

async function writeAlone(
  context: StoreContext,
  descriptor: Descriptor,
  open: Opener,
  options: WriteOptions,
): Promise<void> {
  const { diffID } = options
  holdContent(context, descriptor, diffID)
  const missing = await missingPart(context, descriptor, diffID)
  if (missing === undefined) return
  if (missing === 'fact') {
    await recordReferrer(context, descriptor)
    return
  }
  if (diffID === undefined && descriptor.size <= maxWholeBytes) {
    await writeWhole(context, descriptor, open, options)
    await recordReferrer(context, descriptor)
    return
  }
  const claim = await claimContent(context, descriptor, options)
  if (claim === undefined) return
  let keep = false
  try {
    await writeClaimed(context, descriptor, open, options, (error) => {
      keep = keepsPartial(error)
    })
  } catch (error) {
    quietly(() => claim.release({ keep }))
    throw error
  }
  claim.release({ keep: false })
}

/** Writes content of which this process is the only writer. */
async function writeClaimed(
  context: StoreContext,
  descriptor: Descriptor,
  open: Opener,
  options: WriteOptions,
  onReceiveError: (error: unknown) => void,
): Promise<void> {
  const { layout } = context
  const { diffID } = options
  let missing = await missingPart(context, descriptor, diffID)
  if (missing === undefined) return
  const prepare = async (file: string): Promise<PreparedLayer | undefined> =>
    diffID === undefined ? undefined : prepareLayer(context, descriptor, file, diffID, options)
  let layer: PreparedLayer | undefined
  try {
    if (missing === 'layer') {
      try {
        layer = await prepare(layout.blob(descriptor.digest))
      } catch (error) {
        if (options.signal?.aborted || isIndexerFailure(error) || isFileError(error)) throw error
        if (await isWhole(context, descriptor, options)) throw error
        // Not the layer is bad but what the disk made of the blob: fetched again it will do.
        missing = 'damaged'
      }
    }
    if (missing === 'missing' || missing === 'damaged') {
      if (missing === 'damaged') setAside(context, descriptor)
      const folder = layout.ingest(descriptor.digest)
      const received = { isComplete: false }
      layer = await receive(context, descriptor, folder, open, options, (file) => {
        received.isComplete = true
        return prepare(file)
      }).catch((error: unknown) => {
        // Complete content that is no good layer will not become one; it is kept when nobody could look.
        const isUnjudged = options.signal?.aborted || isIndexerFailure(error)
        if (!received.isComplete || isUnjudged) onReceiveError(error)
        throw error
      })
      await publishBlob(context, path.join(folder, 'data'), descriptor)
    }
    await layer?.commit()
    await recordReferrer(context, descriptor)
  } catch (error) {
    layer?.discard()
    throw error
  }
}

/** Small content is fetched into memory. */
async function writeWhole(
  context: StoreContext,
  descriptor: Descriptor,
  open: Opener,
  options: WriteOptions,
): Promise<void> {
  const { files, lease } = context
  const space = announceSpace(context, `content ${descriptor.digest}`, descriptor.size)
  const file = path.join(lease().temporary, randomUUID())
  try {
    const chunks: Uint8Array[] = []
    for await (const chunk of verified(await open(0), descriptor, context.name)) {
      options.signal?.throwIfAborted()
      chunks.push(chunk)
    }
    options.onProgress?.({ state: 'receiving', bytes: descriptor.size })
    options.onProgress?.({ state: 'received' })
    await writeNewFile(files, file, Buffer.concat(chunks))
    if ((await blobState(context, descriptor)) === 'damaged') setAside(context, descriptor)
    await publishBlob(context, file, descriptor)
  } finally {
    space.release()
    quietly(() => files.unlink(file))
  }
}

/** Becomes the one that writes a digest; undefined when another finished it meanwhile. */
async function claimContent(
  context: StoreContext,
  descriptor: Descriptor,
  options: WriteOptions,
): Promise<Claim | undefined> {
  const { files, layout } = context
  const folder = layout.ingest(descriptor.digest)
  const { signal, diffID } = options
  let delayMs = 20
  let seen = -1
  for (let round = 0; ; round++) {
    signal?.throwIfAborted()
    if (round > 0 && (await missingPart(context, descriptor, diffID)) === undefined)
      return undefined
    // Asking whether the owner lives costs a process: not in every round while it makes progress.
    const bytes = files.stat(path.join(folder, 'data'))?.size ?? 0
    if (bytes === seen || round === 0 || round % 4 === 0) {
      const claim = tryClaim(context, folder)
      if (claim !== undefined) return claim
    }
    if (bytes !== seen) options.onProgress?.({ state: 'receiving', bytes })
    seen = bytes
    await wait(delayMs, undefined, signal === undefined ? {} : { signal })
    delayMs = Math.min(delayMs * 1.5, 250)
  }
}

/** Keeps what written content says of itself: that it refers to another. */
async function recordReferrer(context: StoreContext, descriptor: Descriptor): Promise<void> {
  const record = unknownReferrer(context, descriptor)
  if (record !== undefined) await writeReferrer(context, record)
}

/** What keeps content from being complete; `fact` is that of a referrer. */
async function missingPart(
  context: StoreContext,
  descriptor: Descriptor,
  diffID: Digest | undefined,
): Promise<'missing' | 'damaged' | 'layer' | 'fact' | undefined> {
  const state = await blobState(context, descriptor)
  if (state !== 'good') return state
  if (diffID !== undefined && !hasLayer(context, diffID, descriptor.digest)) return 'layer'
  return unknownReferrer(context, descriptor) === undefined ? undefined : 'fact'
}

/** Reads a whole blob to see if it is what its name says. */
async function isWhole(
  context: StoreContext,
  descriptor: Descriptor,
  { signal }: WriteOptions,
): Promise<boolean> {
  const { digest, size } = descriptor
  const hash = createHash(digestAlgorithm(digest))
  let bytes = 0
  for await (const chunk of await openBlob(context, descriptor, { signal })) {
    hash.update(chunk)
    bytes += chunk.byteLength
  }
  return bytes === size && hash.digest('hex') === digestHex(digest)
}

function isIndexerFailure(error: unknown): boolean {
  return isKatmanError(error, 'INDEX_WORKER_FAILED') || isKatmanError(error, 'INDEX_POOL_CLOSED')
}

function holdContent(context: StoreContext, descriptor: Descriptor, diffID?: Digest): void {
  if (context.readOnly !== undefined) return
  const lease = context.lease()
  lease.hold('blob', descriptor.digest, descriptor.mediaType)
  if (diffID !== undefined) lease.hold('layer', diffID)
}

function setAside(context: StoreContext, { digest }: Descriptor): void {
  quarantine(context, context.layout.blob(digest), `blob.${fileName(digest)}`)
}
