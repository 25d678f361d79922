import { indexLayer, type LayerIndex, maxInflatedBytes } from '@katman/layer'
import {
  defaultTag,
  type Descriptor,
  type Digest,
  familiarReference,
  type ImageConfig,
  isImageManifest,
  isKatmanError,
  KatmanError,
  type Manifest,
  parseImageConfig,
  parseManifest,
  parseReference,
  type Platform,
  withDefaultTag,
} from '@katman/oci'
import type { RemoteRepository } from '@katman/remote'
import { findImage, findPlatformImage, type ImageView, loadImages, type Store } from '@katman/store'
import { type CallOptions, readVerified, verified } from '@katman/transfer'
import type { Context } from './context.ts'
import { chosenPlatform, typedPlatform } from './host-platform.ts'
import { narrowTo } from './narrow-to.ts'

/** What every layer of one image holds, and the documents that led there. */
export interface ImageLayers {
  /** As asked for; a name without tag has the default one. */
  readonly name: string
  /** Where it was read. */
  readonly place: 'store' | 'registry'
  /** Digest of the config. */
  readonly id: Digest
  readonly manifest: Descriptor
  readonly config: ImageConfig
  /** Bottom first, as the config's diffIDs: the layer as it is transferred, and what is in it. */
  readonly layers: readonly { readonly descriptor: Descriptor; readonly index: LayerIndex }[]
}

/** Which image to read, and from where. */
export interface ImageLayersOptions {
  readonly name: string
  /** Default: the platform of the image that the name shows; in a registry, this machine's. */
  readonly platform?: string | undefined
  /** Do not look into the store. */
  readonly remoteOnly?: boolean
}

/**
 * Reads the layers of an image of the store or, when the store has none of that name (and platform), of one in a
 * registry: then every layer is fetched, verified and indexed on the way, and nothing is stored.
 * Throws `REFERENCE_INVALID`, `PLATFORM_UNKNOWN`, `NOT_AN_IMAGE` and what reading throws.
 */
export async function readImageLayers(
  context: Context,
  options: ImageLayersOptions,
): Promise<ImageLayers> {
  const platform = options.platform ? typedPlatform(options.platform) : undefined
  if (options.remoteOnly !== true) {
    await using store = await context.openStore()
    const image = await findLocal(store, options.name, platform)
    if (image !== undefined) return await readLocal(store, image, shownName(options.name))
  }
  return readRemote(context, options.name, platform ?? chosenPlatform(undefined, context.env))
}

/** The image of that name here, for the platform; undefined when only a registry can have it. */
async function findLocal(
  store: Store,
  name: string,
  platform: Platform | undefined,
): Promise<ImageView | undefined> {
  const images = await loadImages(store)
  try {
    return await findPlatformImage(store, images, name, { platform, orLower: true })
  } catch (error) {
    const isElsewhere = isKatmanError(error, 'PLATFORM_UNKNOWN')
      ? findImage(images, name).name !== undefined
      : isKatmanError(error, 'IMAGE_UNKNOWN') && isName(name)
    if (isElsewhere) return undefined
    throw error
  }
}

/** True for what could be in a registry: an id names nothing there. */
function isName(text: string): boolean {
  try {
    parseReference(text)
    return true
  } catch {
    return false
  }
}

function shownName(text: string): string {
  return isName(text) ? familiarReference(withDefaultTag(parseReference(text))) : text
}

async function readLocal(store: Store, image: ImageView, name: string): Promise<ImageLayers> {
  const config = await image.readConfig()
  const manifest = await image.readManifest()
  const layers = []
  for (const [position, diffID] of config.diffIDs.entries()) {
    const descriptor = layerAt(manifest, position)
    layers.push({ descriptor, index: await store.readLayerIndex(diffID) })
  }
  return { name, place: 'store', id: image.id, manifest: image.record.manifest, config, layers }
}

async function readRemote(
  context: Context,
  name: string,
  platform: Platform,
): Promise<ImageLayers> {
  const reference = withDefaultTag(parseReference(name))
  const call = { signal: context.signal }
  await using remote = await context.openRemote()
  const repository = remote.repository(reference)
  const { descriptor, manifest } = await chooseManifest(
    repository,
    reference.digest ?? reference.tag ?? defaultTag,
    platform,
    call,
  )
  if (!isImageManifest(manifest)) throw notAnImage(name, manifest)
  const config = parseImageConfig(await readVerified(repository, manifest.config, call))
  const layers = []
  for (const [position, expectedDiffID] of config.diffIDs.entries()) {
    const layer = layerAt(manifest, position)
    const bytes = verified(await repository.open(layer, call), layer, repository.name)
    // As in the store: the bytes tell how they are compressed, whatever the media type says.
    const maxBytes = maxInflatedBytes(layer.size)
    const index = await indexLayer(bytes, 'detect', { expectedDiffID, maxBytes, ...call })
    layers.push({ descriptor: layer, index })
  }
  const { digest: id } = manifest.config
  const shown = familiarReference(reference)
  return { name: shown, place: 'registry', id, manifest: descriptor, config, layers }
}

/** Goes down from a tag or digest to the manifest for a platform, through nested indexes too. */
async function chooseManifest(
  repository: RemoteRepository,
  wanted: string,
  platform: Platform,
  call: CallOptions,
): Promise<{ readonly descriptor: Descriptor; readonly manifest: Manifest }> {
  const { descriptor: root, bytes } = await repository.fetchManifest(wanted, call)
  const document = parseManifest(bytes, root.mediaType)
  if (document.kind === 'manifest') return { descriptor: root, manifest: document }
  const descriptor = await narrowTo({ source: repository, root }, platform, {
    ...call,
    known: document,
  })
  const manifest = parseManifest(
    await readVerified(repository, descriptor, call),
    descriptor.mediaType,
  )
  if (manifest.kind === 'manifest') return { descriptor, manifest }
  throw new TypeError(`${descriptor.digest} is no manifest`)
}

/** The layer of a manifest at a position that its config has. Throws `CONFIG_INVALID` when there is none. */
export function layerAt(manifest: Manifest, position: number): Descriptor {
  const descriptor = manifest.layers[position]
  if (descriptor !== undefined) return descriptor
  throw new KatmanError(
    'CONFIG_INVALID',
    `the image config names more layers than its manifest has (${manifest.layers.length})`,
    { hint: 'the image is inconsistent; do not use it' },
  )
}

function notAnImage(name: string, manifest: Manifest): KatmanError {
  const type = manifest.artifactType ?? manifest.config.mediaType
  return new KatmanError(
    'NOT_AN_IMAGE',
    `${name} is not a container image: it is an artifact of type ${type}`,
    { hint: 'an artifact has no layers of files', details: { reference: name, type } },
  )
}
