import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { link, lstat, mkdir, open, readFile, rename, rm, unlink } from 'node:fs/promises'
import path from 'node:path'
import {
  type Bytes,
  type Descriptor,
  digestAlgorithm,
  digestHex,
  type Index,
  isDigest,
  KatmanError,
  maxDocumentBytes,
  mediaTypes,
  parseManifest,
} from '@katman/oci'
import type { NamingTarget, Opener, OpenOptions, Source, WriteOptions } from './place.ts'
import { verified } from './verify.ts'

/** An OCI image layout folder (image-spec image-layout.md). */
export interface OciLayout extends Source, NamingTarget {
  readonly folder: string
  /** The entries of `index.json`. */
  entries(): Promise<readonly Descriptor[]>
}

const refName = 'org.opencontainers.image.ref.name'
const chunkBytes = 1024 * 1024

/**
 * Opens an OCI layout; with `create`, makes an empty one where there is none.
 * Throws `LAYOUT_INVALID` when the folder holds no layout, or blobs that are links.
 */
export async function openOciLayout(
  folder: string,
  options: { readonly create?: boolean } = {},
): Promise<OciLayout> {
  if (options.create) await createLayout(folder)
  await checkMarker(folder)
  const name = `OCI layout ${folder}`
  let tagging = Promise.resolve()
  return {
    name,
    folder,
    entries: async () => (await readIndex(folder)).manifests,
    async resolve(reference: string): Promise<Descriptor> {
      const { manifests } = await readIndex(folder)
      const found = manifests.findLast((entry) =>
        isDigest(reference)
          ? entry.digest === reference
          : entry.annotations?.[refName] === reference,
      )
      if (found !== undefined) return found
      throw new KatmanError('MANIFEST_UNKNOWN', `${name}: no manifest for ${reference}`, {
        details: { reference, folder },
      })
    },
    async open(descriptor: Descriptor, call: OpenOptions = {}): Promise<Bytes> {
      const file = blobPath(folder, descriptor)
      const stat = await lstat(file).catch(() => undefined)
      if (stat === undefined) {
        throw new KatmanError('BLOB_UNKNOWN', `${name}: no content for ${descriptor.digest}`, {
          details: { digest: descriptor.digest, folder },
        })
      }
      if (!stat.isFile()) throw invalidLayout(folder, `${file} is not a regular file`)
      return createReadStream(file, {
        start: call.start ?? 0,
        highWaterMark: chunkBytes,
        ...(call.signal === undefined ? {} : { signal: call.signal }),
      })
    },
    async has(descriptor: Descriptor): Promise<boolean> {
      const stat = await lstat(blobPath(folder, descriptor)).catch(() => undefined)
      return stat?.isFile() === true && stat.size === descriptor.size
    },
    async write(descriptor: Descriptor, source: Opener, call: WriteOptions = {}): Promise<void> {
      await writeBlob(folder, descriptor, source, call)
    },
    async tag(tag: string, descriptor: Descriptor): Promise<void> {
      const update = tagging.then(() => writeTag(folder, tag, descriptor))
      tagging = update.catch(() => {})
      await update
    },
  }
}

async function createLayout(folder: string): Promise<void> {
  await mkdir(path.join(folder, 'blobs', 'sha256'), { recursive: true })
  await writeOnce(path.join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  await writeOnce(
    path.join(folder, 'index.json'),
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] }),
  )
}

async function writeOnce(file: string, text: string): Promise<void> {
  if ((await lstat(file).catch(() => undefined)) === undefined) await replaceFile(file, text)
}

async function checkMarker(folder: string): Promise<void> {
  let version: unknown
  try {
    const marker: unknown = JSON.parse(await readFile(path.join(folder, 'oci-layout'), 'utf8'))
    version = (marker as { imageLayoutVersion?: unknown } | null)?.imageLayoutVersion
  } catch (cause) {
    throw invalidLayout(folder, 'it has no readable oci-layout file', cause)
  }
  if (version !== '1.0.0')
    throw invalidLayout(folder, `its version is ${String(version)}, not 1.0.0`)
}

async function readIndex(folder: string): Promise<Index> {
  const file = path.join(folder, 'index.json')
  const stat = await lstat(file).catch(() => undefined)
  if (!stat?.isFile()) throw invalidLayout(folder, 'it has no index.json file')
  if (stat.size > maxDocumentBytes)
    throw invalidLayout(folder, 'its index.json is larger than 4 MiB')
  const document = parseManifest(await readFile(file), mediaTypes.ociIndex)
  if (document.kind !== 'index') throw invalidLayout(folder, 'its index.json is no index')
  return document
}

async function writeBlob(
  folder: string,
  descriptor: Descriptor,
  source: Opener,
  call: WriteOptions,
): Promise<void> {
  const file = blobPath(folder, descriptor)
  await mkdir(path.dirname(file), { recursive: true })
  const temporary = path.join(folder, 'blobs', `.${randomUUID()}`)
  const handle = await open(temporary, 'wx', 0o644)
  try {
    let bytes = 0
    for await (const chunk of verified(await source(0), descriptor, `copy to ${file}`)) {
      call.signal?.throwIfAborted()
      await handle.writeFile(chunk)
      bytes += chunk.byteLength
      call.onProgress?.({ state: 'receiving', bytes })
    }
    call.onProgress?.({ state: 'received' })
    await handle.sync()
    await link(temporary, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  } finally {
    await handle.close()
    await unlink(temporary).catch(() => {})
  }
}

async function writeTag(folder: string, tag: string, descriptor: Descriptor): Promise<void> {
  const index = await readIndex(folder)
  const kept = index.manifests.filter((entry) => entry.annotations?.[refName] !== tag)
  const manifests = [
    ...kept.map(toJson),
    toJson({ ...descriptor, annotations: { ...descriptor.annotations, [refName]: tag } }),
  ]
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests,
    ...(index.annotations === undefined ? {} : { annotations: index.annotations }),
  }
  await replaceFile(path.join(folder, 'index.json'), JSON.stringify(document))
}

function toJson(descriptor: Descriptor): unknown {
  const { platform, ...rest } = descriptor
  if (platform === undefined) return rest
  const { os, architecture, variant, osVersion, osFeatures } = platform
  return {
    ...rest,
    platform: {
      architecture,
      os,
      variant,
      'os.version': osVersion,
      'os.features': osFeatures,
    },
  }
}

async function replaceFile(file: string, text: string): Promise<void> {
  const temporary = `${file}.${randomUUID()}`
  try {
    const handle = await open(temporary, 'wx', 0o644)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, file)
  } finally {
    await rm(temporary, { force: true })
  }
}

function blobPath(folder: string, descriptor: Descriptor): string {
  return path.join(
    folder,
    'blobs',
    digestAlgorithm(descriptor.digest),
    digestHex(descriptor.digest),
  )
}

function invalidLayout(folder: string, reason: string, cause?: unknown): KatmanError {
  return new KatmanError('LAYOUT_INVALID', `${folder} is not an OCI image layout: ${reason}`, {
    details: { folder, reason },
    ...(cause === undefined ? {} : { cause }),
  })
}
