import {
  type Descriptor,
  type Digest,
  isForeignLayerType,
  isImageManifest,
  isIndexType,
  isLayerType,
  isManifestType,
  KatmanError,
  type Manifest,
  parseImageConfig,
  parseManifest,
} from '@katman/oci'
import { readDocument } from './blobs.ts'
import type { StoreContext } from './context.ts'
import type { ImageRecord, ReferenceRecord } from './records.ts'
import { hasContent } from './write.ts'

/**
 * Holds an image's manifest, config and layers, and checks that all are here. Throws `CONTENT_INCOMPLETE`.
 */
export async function holdImage(context: StoreContext, image: ImageRecord): Promise<void> {
  if (image.index !== undefined) await holdOne(context, image.index)
  await holdManifest(context, image.manifest, image.id)
}

/**
 * The same for what a name points to: the document, and those of its images that are here. Throws `REFERENCE_INVALID` for a
 * name with the digest of something else.
 */
export async function holdReference(
  context: StoreContext,
  { name, target, image }: ReferenceRecord,
): Promise<void> {
  const [, digest = target.digest] = name.split('@')
  if (digest !== target.digest) {
    throw new KatmanError('REFERENCE_INVALID', `${name} cannot name ${target.digest}`, {
      details: { reference: name, digest: target.digest },
    })
  }
  await holdOne(context, target)
  for (const { descriptor, manifest } of manifestsOf(context, target)) {
    if (manifest.config.digest === image) {
      await holdManifest(context, descriptor, image)
      return
    }
  }
  throw incomplete(context, image, `image ${image} is not among the content of ${target.digest}`)
}

/** The manifests that a manifest or an index leads to and that are here. */
export function manifestsOf(
  context: StoreContext,
  root: Descriptor,
  seen = new Set<Digest>(),
): readonly { readonly descriptor: Descriptor; readonly manifest: Manifest }[] {
  if (seen.has(root.digest)) return []
  seen.add(root.digest)
  if (!isIndexType(root.mediaType) && !isManifestType(root.mediaType)) return []
  const bytes = readDocument(context, root.digest)
  if (bytes === undefined) return []
  const document = parseManifest(bytes, root.mediaType)
  if (document.kind === 'manifest') return [{ descriptor: root, manifest: document }]
  return document.manifests.flatMap((child) => manifestsOf(context, child, seen))
}

/** A manifest's layers with the content hashes its config gives them; none for other artifacts. */
export function layersOf(
  context: StoreContext,
  manifest: Manifest,
): readonly { readonly layer: Descriptor; readonly diffID: Digest | undefined }[] {
  const isImage =
    isImageManifest(manifest) && manifest.layers.every((layer) => isLayerType(layer.mediaType))
  const config = isImage ? readDocument(context, manifest.config.digest) : undefined
  const diffIDs = config === undefined ? [] : parseImageConfig(config).diffIDs
  return manifest.layers.map((layer, position) => ({ layer, diffID: diffIDs[position] }))
}

async function holdManifest(
  context: StoreContext,
  descriptor: Descriptor,
  image: Digest,
): Promise<void> {
  await holdOne(context, descriptor)
  const [found] = manifestsOf(context, descriptor)
  if (found === undefined || found.manifest.config.digest !== image) {
    throw incomplete(context, image, `${descriptor.digest} is not its manifest`)
  }
  await holdOne(context, found.manifest.config)
  for (const { layer, diffID } of layersOf(context, found.manifest)) {
    const isElsewhere = isForeignLayerType(layer.mediaType) && layer.urls !== undefined
    if (!(await hasContent(context, layer, diffID)) && !isElsewhere) {
      throw incomplete(context, layer.digest, `its layer ${layer.digest} is missing`)
    }
  }
}

async function holdOne(context: StoreContext, descriptor: Descriptor): Promise<void> {
  if (await hasContent(context, descriptor)) return
  throw incomplete(context, descriptor.digest, `${descriptor.digest} is missing`)
}

function incomplete(context: StoreContext, digest: Digest, reason: string): KatmanError {
  return new KatmanError('CONTENT_INCOMPLETE', `${context.name}: ${reason}`, {
    hint: 'pull the image again',
    details: { digest, reason },
  })
}
