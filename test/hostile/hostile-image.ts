import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { tarBytes } from '@katman/layer'
import { type Descriptor, type Digest, mediaTypes, parseDigest, type Platform } from '@katman/oci'
import type { RegistryStorage } from '@katman/registry'
import { placeBlob, placeManifest } from '../registry/content.ts'

const repositoryName = 'team/app'
export const platform: Platform = { os: 'linux', architecture: 'amd64' }

/** An image in the registry, and the parts it is made of. */
export interface HostileImage {
  readonly index: Descriptor
  readonly manifest: Descriptor
  readonly config: Descriptor
  /** A small layer and one of a mebibyte that does not compress. */
  readonly layers: readonly [Descriptor, Descriptor]
}

export interface ImageOptions {
  readonly tag?: string
  /** Replaces the fields of the config. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Changes the descriptors that stand in the manifest; what they point to stays. */
  readonly lieInManifest?: (parts: {
    readonly config: Descriptor
    readonly layers: readonly Descriptor[]
  }) => object
  /** Changes the entry that stands in the index. */
  readonly lieInIndex?: (manifest: Descriptor) => object
  /** The bytes of the second layer, and what the config says they unpack to. */
  readonly layer?: {
    readonly bytes: Uint8Array
    readonly diffID: Digest
    readonly mediaType?: string
  }
}

/** Puts an image past the API, which would refuse some of them. */
export async function addImage(
  storage: RegistryStorage,
  options: ImageOptions = {},
): Promise<HostileImage> {
  const small = tarBytes([{ name: 'etc/motd', content: 'Hello.\n' }])
  const large = tarBytes([{ name: 'usr/share/noise', content: noise(1024 * 1024) }])
  const {
    bytes,
    diffID,
    mediaType = mediaTypes.ociLayerGzip,
  } = options.layer ?? { bytes: gzipSync(large), diffID: digestOf(large) }
  const layers = [
    await addBlob(storage, gzipSync(small), mediaTypes.ociLayerGzip),
    await addBlob(storage, bytes, mediaType),
  ] as const
  const config = await addBlob(
    storage,
    encode({
      ...platform,
      config: { Cmd: ['/bin/app'] },
      rootfs: { type: 'layers', diff_ids: [digestOf(small), diffID] },
      ...options.config,
    }),
    mediaTypes.ociConfig,
  )
  const parts = { config, layers }
  const manifest = await addDocument(storage, mediaTypes.ociManifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    ...parts,
    ...options.lieInManifest?.(parts),
  })
  const entry = { ...manifest, platform }
  const index = await addIndex(storage, [options.lieInIndex?.(entry) ?? entry], options.tag)
  return { index, manifest, config, layers }
}

export function addIndex(
  storage: RegistryStorage,
  manifests: readonly object[],
  tag?: string,
): Promise<Descriptor> {
  const mediaType = mediaTypes.ociIndex
  return addDocument(
    storage,
    mediaType,
    { schemaVersion: 2, mediaType, manifests },
    tag ?? 'latest',
  )
}

/** Puts a manifest or an index; `tag` names it. */
export async function addDocument(
  storage: RegistryStorage,
  mediaType: string,
  document: object | Uint8Array,
  tag?: string,
): Promise<Descriptor> {
  const bytes = document instanceof Uint8Array ? document : encode(document)
  const digest = digestOf(bytes)
  const manifest = { digest, mediaType, bytes }
  await placeManifest(storage, repositoryName, manifest, tag === undefined ? [] : [tag])
  return { mediaType, digest, size: bytes.byteLength }
}

async function addBlob(
  storage: RegistryStorage,
  bytes: Uint8Array,
  mediaType: string,
): Promise<Descriptor> {
  const digest = await placeBlob(storage, repositoryName, bytes)
  return { mediaType, digest, size: bytes.byteLength }
}

export function digestOf(bytes: Uint8Array): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
}

/** Bytes that look random and are always the same. */
export function noise(size: number): Uint8Array {
  return createHash('shake256', { outputLength: size }).update('noise').digest()
}

function encode(value: object): Uint8Array {
  return Buffer.from(JSON.stringify(value))
}
