import { hash, randomUUID } from 'node:crypto'
import path from 'node:path'
import { type Descriptor, type Digest, isDigest, KatmanError } from '@katman/oci'
import type { LayerIndex } from '@katman/layer'
import type { WriteOptions } from '@katman/transfer'
import { quarantine } from './blobs.ts'
import type { StoreContext } from './context.ts'
import { errorCode, unless } from './files.ts'
import { fileName } from './layout.ts'
import { quietly, removeTree, replaceFile, syncFolder, writeNewFile } from './publish.ts'
import { encodeRecord, readRecordValue } from './record-file.ts'

/** What `layers/<diffID>/record` says. It is there only when the index is. */
export interface LayerRecord {
  readonly diffID: Digest
  /** Size of the uncompressed layer. */
  readonly size: number
  readonly entryCount: number
  /** Bytes of all its files and symlink targets. */
  readonly contentSize: number
  readonly indexSize: number
  /** `sha256` of the index file, hex. */
  readonly indexHash: string
}

/** A layer whose index is written and not yet in its place. */
export interface PreparedLayer {
  commit(): Promise<void>
  discard(): void
}

/** True when the layer is indexed and this blob was found to hold it. */
export function hasLayer(context: StoreContext, diffID: Digest, blob: Digest): boolean {
  const { files, layout } = context
  if (files.stat(layout.layer(diffID)) === undefined) restoreLayer(context, diffID)
  return (
    readLayerRecord(context, diffID) !== undefined &&
    files.stat(originPath(layout.layer(diffID), blob)) !== undefined
  )
}

export function readLayerRecord(context: StoreContext, diffID: Digest): LayerRecord | undefined {
  const { layout } = context
  return (
    readRecordIn(context, layout.layer(diffID), diffID) ??
    readRecordIn(context, layout.trash('layer', diffID), diffID)
  )
}

/** Reads a layer's index and checks it. Throws `LAYER_UNKNOWN`, `LAYER_DAMAGED`. */
export async function readLayerIndex(context: StoreContext, diffID: Digest): Promise<LayerIndex> {
  const record = readLayerRecord(context, diffID)
  const bytes = record && readIndexFile(context, diffID)
  if (record === undefined || bytes === undefined) {
    throw new KatmanError('LAYER_UNKNOWN', `${context.name}: no layer ${diffID}`, {
      details: { diffID, root: context.layout.root },
    })
  }
  if (hash('sha256', bytes) !== record.indexHash) {
    throw new KatmanError(
      'LAYER_DAMAGED',
      `${context.name}: the index of layer ${diffID} is damaged`,
      {
        hint: 'run: katman fsck --repair',
        details: { diffID },
      },
    )
  }
  return context.indexer().decode(bytes)
}

/**
 * Reads the whole layer from the blob's file, checks that it is `diffID`, and writes its index beside.
 * Nothing is visible before `commit`. Throws `LAYER_CONTENT_MISMATCH` and what reading a layer throws.
 */
export async function prepareLayer(
  context: StoreContext,
  blob: Descriptor,
  file: string,
  diffID: Digest,
  options: WriteOptions,
): Promise<PreparedLayer> {
  const { files } = context
  const folder = path.join(context.lease().temporary, randomUUID())
  const layer = await context.indexer().index(file, blob, diffID, options)
  const record: LayerRecord = {
    diffID,
    size: layer.size,
    entryCount: layer.entryCount,
    contentSize: layer.contentSize,
    indexSize: layer.encoded.byteLength,
    indexHash: hash('sha256', layer.encoded),
  }
  const discard = (): void => quietly(() => removeTree(files, folder))
  try {
    files.mkdir(folder)
    await writeNewFile(files, path.join(folder, 'index'), layer.encoded)
    await writeNewFile(files, originPath(folder, blob.digest), originRecord(diffID, blob))
    await writeNewFile(files, path.join(folder, 'record'), encodeRecord(record))
    await syncFolder(files, folder)
  } catch (error) {
    discard()
    throw error
  }
  return { commit: () => commitLayer(context, blob, diffID, folder), discard }
}

/** The file that says a blob was found to hold a layer. */
function originPath(folder: string, blob: Digest): string {
  return path.join(folder, `from.${fileName(blob)}`)
}

function originRecord(diffID: Digest, { digest, mediaType, size }: Descriptor): Uint8Array {
  return encodeRecord({ diffID, blob: { digest, mediaType, size } })
}

export function layerRecordOf(value: unknown): LayerRecord | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { diffID, size, entryCount, contentSize, indexSize, indexHash } = value as Record<
    string,
    unknown
  >
  if (typeof diffID !== 'string' || !isDigest(diffID)) return undefined
  if (typeof size !== 'number' || typeof entryCount !== 'number') return undefined
  if (typeof contentSize !== 'number') return undefined
  if (typeof indexSize !== 'number' || typeof indexHash !== 'string') return undefined
  return { diffID, size, entryCount, contentSize, indexSize, indexHash }
}

async function commitLayer(
  context: StoreContext,
  blob: Descriptor,
  diffID: Digest,
  folder: string,
): Promise<void> {
  const { files, layout, lease } = context
  const target = layout.layer(diffID)
  for (;;) {
    if (unless(['EEXIST', 'ENOTEMPTY', 'ENOTDIR'], () => files.rename(folder, target))) break
    if (readRecordIn(context, target, diffID) === undefined) {
      // Without a record it is no layer, only in the way.
      quarantine(context, target, `layer.${fileName(diffID)}`)
      continue
    }
    // Another process, or another compression of the same layer, came first: its index is the same.
    try {
      const origin = originPath(target, blob.digest)
      await replaceFile(files, origin, originRecord(diffID, blob), lease().temporary)
      removeTree(files, folder)
      return
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error
    }
  }
  await syncFolder(files, layout.folder('layers'))
}

function readRecordIn(
  context: StoreContext,
  folder: string,
  diffID: Digest,
): LayerRecord | undefined {
  try {
    const bytes = context.files.readFile(path.join(folder, 'record'))
    const record = layerRecordOf(readRecordValue(bytes))
    return record?.diffID === diffID ? record : undefined
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return undefined
    throw error
  }
}

/** Takes a layer back that a collection moved away and has not deleted yet. */
function restoreLayer(context: StoreContext, diffID: Digest): void {
  if (context.readOnly !== undefined) return
  const { files, layout } = context
  unless(['ENOENT', 'EEXIST', 'ENOTEMPTY'], () => {
    files.rename(layout.trash('layer', diffID), layout.layer(diffID))
  })
}

function readIndexFile(context: StoreContext, diffID: Digest): Uint8Array | undefined {
  const { files, layout } = context
  for (const folder of [layout.layer(diffID), layout.trash('layer', diffID)]) {
    try {
      return files.readFile(path.join(folder, 'index'))
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error
    }
  }
  return undefined
}
