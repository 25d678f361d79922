import { createHash, randomUUID } from 'node:crypto'
import path from 'node:path'
import {
  type Bytes,
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestHex,
  isConfigType,
  isIndexType,
  isManifestType,
  KatmanError,
  maxDocumentBytes,
} from '@katman/oci'
import type { OpenOptions } from '@katman/transfer'
import type { StoreContext } from './context.ts'
import { errorCode, unless } from './files.ts'
import { fileName } from './layout.ts'
import { syncFolder } from './publish.ts'

const chunkBytes = 1024 * 1024

/**
 * Whether content is there: its size always, and the hash of documents, which are small and decide
 * everything. What a collection has just moved away is brought back.
 */
export async function blobState(
  context: StoreContext,
  descriptor: Descriptor,
): Promise<'missing' | 'good' | 'damaged'> {
  const { files, layout } = context
  const file = layout.blob(descriptor.digest)
  let facts = files.stat(file)
  if (facts === undefined && (await restoreBlob(context, descriptor.digest)))
    facts = files.stat(file)
  if (facts === undefined) return 'missing'
  if (facts.kind !== 'file' || facts.size !== descriptor.size) return 'damaged'
  if (!isDocument(descriptor)) return 'good'
  return hasDigest(files.readFile(file), descriptor.digest) ? 'good' : 'damaged'
}

/** Opens content. Throws `BLOB_UNKNOWN`, `BLOB_DAMAGED` when its size is wrong. */
export async function openBlob(
  context: StoreContext,
  descriptor: Descriptor,
  options: OpenOptions = {},
): Promise<Bytes> {
  const { files } = context
  const handle = openBlobFile(context, descriptor.digest)
  try {
    const { kind, size } = files.statOpen(handle)
    if (kind !== 'file' || size !== descriptor.size) {
      throw new KatmanError(
        'BLOB_DAMAGED',
        `${context.name}: the file of ${descriptor.digest} has ${size} bytes, not ${descriptor.size}`,
        {
          hint: 'pull the image again, or run: katman fsck --repair',
          details: { digest: descriptor.digest, size, expected: descriptor.size },
        },
      )
    }
  } catch (error) {
    files.close(handle)
    throw error
  }
  return readOn(context, handle, descriptor, options)
}

/** A blob's whole content, for small documents. Undefined when it is missing, too large, or not itself. */
export function readDocument(context: StoreContext, digest: Digest): Uint8Array | undefined {
  const { files, layout } = context
  for (const file of [layout.blob(digest), layout.trash('blob', digest), layout.blob(digest)]) {
    const facts = files.stat(file)
    if (facts?.kind !== 'file' || facts.size > maxDocumentBytes) continue
    try {
      const bytes = files.readFile(file)
      if (hasDigest(bytes, digest)) return bytes
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error
    }
  }
  return undefined
}

/**
 * Gives a finished file its place under its digest. When another was quicker, theirs stays: it is the
 * same, unless its size says otherwise.
 */
export async function publishBlob(
  context: StoreContext,
  file: string,
  descriptor: Descriptor,
): Promise<void> {
  const { files, layout } = context
  const target = layout.blob(descriptor.digest)
  while (!unless(['EEXIST'], () => files.link(file, target))) {
    const facts = files.stat(target)
    if (facts?.kind === 'file' && facts.size === descriptor.size) break
    if (facts !== undefined) quarantine(context, target, `blob.${fileName(descriptor.digest)}`)
  }
  await syncFolder(files, path.dirname(target))
}

/** Moves something damaged out of the way; nobody reads it from there. */
export function quarantine(context: StoreContext, target: string, name: string): void {
  const to = path.join(context.layout.folder('quarantine'), `${name}.${randomUUID()}`)
  unless(['ENOENT'], () => context.files.rename(target, to))
}

/** True for content that is read whole: manifests, indexes and configs. */
function isDocument({ mediaType, size }: Descriptor): boolean {
  if (size > maxDocumentBytes) return false
  return isManifestType(mediaType) || isIndexType(mediaType) || isConfigType(mediaType)
}

function hasDigest(bytes: Uint8Array, digest: Digest): boolean {
  return createHash(digestAlgorithm(digest)).update(bytes).digest('hex') === digestHex(digest)
}

/** Takes content back that a collection moved away and has not deleted yet. */
export async function restoreBlob(context: StoreContext, digest: Digest): Promise<boolean> {
  const { files, layout } = context
  if (context.readOnly !== undefined) return false
  const target = layout.blob(digest)
  try {
    files.link(layout.trash('blob', digest), target)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return files.stat(target) !== undefined
    if (errorCode(error) !== 'EEXIST') throw error
  }
  await syncFolder(files, path.dirname(target))
  return true
}

/** A reader that comes while a collection is deciding finds the content on its way. */
function openBlobFile(context: StoreContext, digest: Digest): number {
  const { files, layout } = context
  for (const file of [layout.blob(digest), layout.trash('blob', digest), layout.blob(digest)]) {
    try {
      return files.open(file, 'read')
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error
    }
  }
  throw new KatmanError('BLOB_UNKNOWN', `${context.name}: no content for ${digest}`, {
    details: { digest, root: layout.root },
  })
}

async function* readOn(
  context: StoreContext,
  handle: number,
  descriptor: Descriptor,
  options: OpenOptions,
): Bytes {
  const { files } = context
  try {
    let position = options.start ?? 0
    while (position < descriptor.size) {
      options.signal?.throwIfAborted()
      // A new buffer each time: the one that was passed on belongs to its reader.
      const buffer = Buffer.allocUnsafeSlow(Math.min(chunkBytes, descriptor.size - position))
      const count = await files.read(handle, buffer, position)
      if (count === 0) return
      position += count
      yield buffer.subarray(0, count)
    }
  } finally {
    files.close(handle)
  }
}
