import {
  type Descriptor,
  type Digest,
  type Index,
  isImageManifest,
  isIndexType,
  type Manifest,
  parseImageConfig,
  parseManifest,
} from '@katman/oci'
import { readVerified } from '@katman/transfer'
import type { Store } from './store.ts'

/** A layer as it travels, and the digest of its content. */
export interface PushedLayer {
  readonly descriptor: Descriptor
  readonly diffID: Digest
}

/** The layers of an image, or of those images of an index that `keep` takes, bottom first. */
export async function layersBelow(
  store: Store,
  root: Descriptor,
  keep: (entry: Descriptor) => boolean,
): Promise<readonly PushedLayer[]> {
  if (!isIndexType(root.mediaType)) return layersOf(store, root)
  const layers: PushedLayer[] = []
  for (const entry of (await readIndex(store, root)).manifests) {
    if (keep(entry)) layers.push(...(await layersBelow(store, entry, keep)))
  }
  return layers
}

async function layersOf(store: Store, descriptor: Descriptor): Promise<readonly PushedLayer[]> {
  const manifest = await readManifest(store, descriptor)
  if (manifest === undefined || !isImageManifest(manifest)) return []
  const { diffIDs } = parseImageConfig(await readVerified(store, manifest.config))
  return manifest.layers.flatMap((layer, position) => {
    const diffID = diffIDs[position]
    return diffID === undefined ? [] : [{ descriptor: layer, diffID }]
  })
}

export async function readIndex(store: Store, descriptor: Descriptor): Promise<Index> {
  const document = parseManifest(await readVerified(store, descriptor), descriptor.mediaType)
  if (document.kind === 'index') return document
  throw new TypeError(`${descriptor.digest} is no index`)
}

export async function readManifest(
  store: Store,
  descriptor: Descriptor,
): Promise<Manifest | undefined> {
  const document = parseManifest(await readVerified(store, descriptor), descriptor.mediaType)
  return document.kind === 'manifest' ? document : undefined
}
