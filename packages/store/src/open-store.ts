import path from 'node:path'
import { referrersOfType } from '@katman/transfer'
import { openBlob } from './blobs.ts'
import { withClearErrors } from './clear-errors.ts'
import { holdImage, holdReference } from './closure.ts'
import { requireWritable, type StoreContext } from './context.ts'
import type { Files } from './files.ts'
import { deleteImage, readImages, writeImage } from './image-files.ts'
import { createLayerIndexer, type LayerIndexer } from './layer-indexer.ts'
import { readLayerIndex, readLayerRecord } from './layers.ts'
import { layoutOf } from './layout.ts'
import { type Lease, openLease } from './lease.ts'
import { openNodeFiles } from './node-files.ts'
import { deleteReference, readReferences, writeReference } from './reference-files.ts'
import { readReferrers } from './referrer-files.ts'
import { resolveName } from './resolve.ts'
import { openRoot } from './root.ts'
import type { Store } from './store.ts'
import { openUploadLedger } from './upload-ledger.ts'
import { tagAttachment } from './attachment-tags.ts'
import { hasContent, writeContent } from './write.ts'

export interface StoreOptions {
  /** The store's folder; made when it is missing. */
  readonly root: string
  /**
   * Also write a store on a network file system, whose locks and flushes nobody vouches for. Default: such a store is
   * read, and none is made.
   */
  readonly allowNetworkRoot?: boolean
  /** Threads that index layers. Default: one a processor. */
  readonly workers?: number
  /** The program of those threads, where a bundle has moved it. */
  readonly workerUrl?: URL
  /**
   * How many bytes may come out of a compressed layer of so many: more is `LAYER_TOO_LARGE`. Default: 4 GiB, beyond that
   * 200 times its size, 256 GiB at most.
   */
  readonly maxLayerBytes?: (blobBytes: number) => number
  /** The file system. Default: Node's. */
  readonly files?: Files
  /** The current time. Default: the clock. */
  readonly now?: () => Date
  /** Free bytes a write must leave on the disk. Default 16 MiB. */
  readonly minFreeBytes?: number
}

const defaultMinFreeBytes = 16 * 1024 * 1024

/**
 * Opens the store in a folder, and makes it when there is none. A store of a newer layout is opened for
 * reading. Close it with `await using`: until then it holds everything it has written or found.
 * Throws `STORE_NOT_OWNED`, `STORE_PERMISSIONS`, `STORE_INVALID`, `STORE_FULL`, `STORE_IO`.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const root = path.resolve(options.root)
  const layout = layoutOf(root)
  const files = withClearErrors(options.files ?? openNodeFiles(), root)
  const readOnly = await openRoot(files, layout, options.allowNetworkRoot)
  let lease: Lease | undefined
  let indexer: LayerIndexer | undefined
  const context: StoreContext = {
    name: `store ${root}`,
    layout,
    files,
    now: options.now ?? (() => new Date()),
    minFreeBytes: options.minFreeBytes ?? defaultMinFreeBytes,
    readOnly,
    lease: () => (lease ??= openLease(files, layout)),
    indexer: () => (indexer ??= createLayerIndexer(options)),
    announcedBytes: 0,
    writing: new Map(),
  }
  return {
    ...storeOf(context),
    async [Symbol.asyncDispose]() {
      await Promise.allSettled(context.writing.values())
      const closing = { lease, indexer }
      lease = undefined
      indexer = undefined
      await closing.indexer?.close()
      closing.lease?.close()
    },
  }
}

function storeOf(context: StoreContext): Omit<Store, typeof Symbol.asyncDispose> {
  return {
    name: context.name,
    root: context.layout.root,
    uploads: openUploadLedger(context),
    resolve: async (reference) => resolveName(context, reference),
    open: (descriptor, call) => openBlob(context, descriptor, call),
    has: (descriptor, call = {}) => hasContent(context, descriptor, call.diffID),
    write: (descriptor, open, call = {}) => writeContent(context, descriptor, open, call),
    async tag(tag, descriptor) {
      requireWritable(context)
      await tagAttachment(context, tag, descriptor)
    },
    references: async () => readReferences(context),
    async setReference(record) {
      requireWritable(context)
      await holdReference(context, record)
      await writeReference(context, record)
    },
    async removeReference(name) {
      requireWritable(context)
      return deleteReference(context, name)
    },
    images: async () => readImages(context),
    async putImage(record) {
      requireWritable(context)
      await holdImage(context, record)
      await writeImage(context, record)
    },
    async removeImage(id) {
      requireWritable(context)
      return deleteImage(context, id)
    },
    referrers: async (subject, { artifactType } = {}) =>
      referrersOfType(readReferrers(context, subject.digest), artifactType),
    readLayerIndex: (diffID) => readLayerIndex(context, diffID),
    layerSize: async (diffID) => readLayerRecord(context, diffID)?.contentSize,
    async collectGarbage(call) {
      requireWritable(context)
      const { collectGarbage } = await import('./collect-garbage.ts')
      return collectGarbage(context, call)
    },
    async check(call) {
      const { check } = await import('./check.ts')
      return check(context, call)
    },
    async diskUsage(call) {
      const { diskUsage } = await import('./disk-usage.ts')
      return diskUsage(context, call)
    },
  }
}
