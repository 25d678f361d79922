import {
  type Bytes,
  canonicalName,
  childrenOf,
  type Descriptor,
  digestAlgorithm,
  digestHex,
  type Digest,
  familiarName,
  familiarReference,
  formatReference,
  isIndexType,
  isManifestType,
  KatmanError,
  type Manifest,
  mediaTypes,
  parseManifest,
  type Reference,
} from '@katman/oci'
import { tarHeader } from '@katman/layer'
import { type CallOptions, readVerified, type Source, verified } from '@katman/transfer'
import { imageNameKey, refNameKey } from './archive-place.ts'

/** One image or index to save. */
export interface SavedImage {
  readonly root: Descriptor
  /** The image docker's old readers shall see; for an index one of its manifests. */
  readonly manifest: Descriptor
  /** With tags. None: it is loaded without a name. */
  readonly names: readonly Reference[]
  /** Of an index only these entries. Default: all that the source has. */
  readonly entries?: readonly Descriptor[]
}

export interface SaveOptions extends CallOptions {
  /** True for what the source holds. Entries of an index that it lacks are left out of the archive. */
  readonly has: (descriptor: Descriptor) => Promise<boolean>
}

/**
 * The bytes of an archive that is at once an OCI layout and a docker archive, as docker writes since version 25: blobs
 * as they are, `index.json`, `manifest.json`, `oci-layout`, `repositories`. The same images give the same bytes.
 * Throws `CONTENT_INCOMPLETE` when the source lacks part of an image, and what reading throws.
 */
export async function* saveArchive(
  source: Source,
  images: readonly SavedImage[],
  options: SaveOptions,
): Bytes {
  const blobs = new Map<Digest, Descriptor>()
  for (const { root, entries } of images) {
    if (entries === undefined) await collect(source, root, blobs, options, false)
    else {
      blobs.set(root.digest, root)
      for (const entry of entries) await collect(source, entry, blobs, options, false)
    }
  }
  yield tarHeader({ name: 'blobs', type: 'directory' }, 0)
  const paths = [...blobs.values()].map((blob) => ({ blob, file: pathOf(blob.digest) }))
  paths.sort((left, right) => (left.file < right.file ? -1 : 1))
  let folder = ''
  for (const { blob, file } of paths) {
    const own = file.slice(0, file.lastIndexOf('/'))
    if (own !== folder) yield tarHeader({ name: own, type: 'directory' }, 0)
    folder = own
    yield tarHeader({ name: file }, blob.size)
    yield* verified(await source.open(blob, options), blob, source.name)
    yield padding(blob.size)
  }
  const documents = {
    'index.json': indexJson(images),
    'manifest.json': await manifestJson(source, images, options),
    'oci-layout': { imageLayoutVersion: '1.0.0' },
    repositories: await repositoriesJson(source, images, options),
  }
  for (const [name, document] of Object.entries(documents)) {
    const bytes = Buffer.from(JSON.stringify(document))
    yield tarHeader({ name }, bytes.byteLength)
    yield bytes
    yield padding(bytes.byteLength)
  }
  yield Buffer.alloc(2 * blockBytes)
}

const blockBytes = 512

/** Everything below a descriptor that is there; what is there in part, and no entry of an index, is an error. */
async function collect(
  source: Source,
  descriptor: Descriptor,
  blobs: Map<Digest, Descriptor>,
  options: SaveOptions,
  isOptional: boolean,
): Promise<void> {
  options.signal?.throwIfAborted()
  if (blobs.has(descriptor.digest)) return
  if (!(await options.has(descriptor))) {
    if (isOptional) return
    throw new KatmanError(
      'CONTENT_INCOMPLETE',
      `${source.name}: ${descriptor.digest} is not here`,
      {
        hint: 'pull the image again, or look for damage with: katman fsck',
        details: { digest: descriptor.digest },
      },
    )
  }
  blobs.set(descriptor.digest, descriptor)
  const isIndex = isIndexType(descriptor.mediaType)
  if (!isIndex && !isManifestType(descriptor.mediaType)) return
  const document = parseManifest(
    await readVerified(source, descriptor, options),
    descriptor.mediaType,
  )
  for (const child of childrenOf(document)) {
    const isForeign = child.urls !== undefined && child.urls.length > 0
    await collect(source, child, blobs, options, isIndex || isForeign)
  }
}

function indexJson(images: readonly SavedImage[]): unknown {
  return {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: images.flatMap(({ root: { mediaType, digest, size }, names }) => {
      const entry = { mediaType, digest, size }
      if (names.length === 0) return [entry]
      return names.map((name) => ({
        ...entry,
        annotations: { [imageNameKey]: formatReference(name), [refNameKey]: name.tag },
      }))
    }),
  }
}

async function manifestJson(
  source: Source,
  images: readonly SavedImage[],
  call: CallOptions,
): Promise<unknown> {
  const items: unknown[] = []
  for (const { manifest, names } of images) {
    const { config, layers } = await readManifest(source, manifest, call)
    items.push({
      Config: pathOf(config.digest),
      RepoTags: names.length === 0 ? null : names.map((name) => familiarReference(name)),
      Layers: layers.map((layer) => pathOf(layer.digest)),
    })
  }
  return items
}

async function repositoriesJson(
  source: Source,
  images: readonly SavedImage[],
  call: CallOptions,
): Promise<unknown> {
  const repositories: Record<string, Record<string, string>> = {}
  for (const { manifest, names } of images) {
    const { config, layers } = await readManifest(source, manifest, call)
    const top = layers.at(-1) ?? config
    for (const name of names.toSorted((a, b) => (canonicalName(a) < canonicalName(b) ? -1 : 1))) {
      const tags = (repositories[familiarName(name)] ??= {})
      tags[name.tag ?? ''] = digestHex(top.digest)
    }
  }
  return repositories
}

async function readManifest(
  source: Source,
  descriptor: Descriptor,
  call: CallOptions,
): Promise<Manifest> {
  const document = parseManifest(await readVerified(source, descriptor, call), descriptor.mediaType)
  if (document.kind === 'manifest') return document
  throw new TypeError(`${descriptor.digest} is an index`)
}

function pathOf(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`
}

function padding(size: number): Uint8Array {
  return Buffer.alloc((blockBytes - (size % blockBytes)) % blockBytes)
}
