import { createHash } from 'node:crypto'
import {
  type Descriptor,
  type Digest,
  type JsonValue,
  maxDescriptors,
  mediaTypes,
  parseDigest,
  parseJson,
} from '@katman/oci'
import { type Compression, detectCompression, magicBytes } from '@katman/layer'
import type { CallOptions } from '@katman/transfer'
import { archiveInvalid } from './archive-error.ts'
import type { ArchiveImage } from './archive-place.ts'
import type { ArchiveContent } from './open-archive.ts'
import type { Piece, TarFile } from './tar-file.ts'

const layerTypes: Readonly<Partial<Record<Compression, string>>> = {
  none: mediaTypes.ociLayer,
  gzip: mediaTypes.ociLayerGzip,
  zstd: mediaTypes.ociLayerZstd,
}

/**
 * What `docker save` wrote before version 25, and `skopeo copy docker-archive:` writes: `manifest.json` names a config
 * and layers. Such an image has no manifest; it gets one, the same for the same content.
 */
export async function readDockerArchive(tar: TarFile, call: CallOptions): Promise<ArchiveContent> {
  const content = new Map<Digest, Piece | Uint8Array>()
  const layers = new Map<string, Descriptor>()

  function add(mediaType: string, bytes: Uint8Array): Descriptor {
    const digest = parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
    content.set(digest, bytes)
    return { mediaType, digest, size: bytes.byteLength }
  }

  async function addLayer(name: string): Promise<Descriptor> {
    const known = layers.get(name)
    if (known !== undefined) return known
    const piece = tar.find(name)
    if (piece === undefined)
      throw archiveInvalid(tar.name, `it lacks the layer ${JSON.stringify(name)}`)
    const hash = createHash('sha256')
    let first: Uint8Array | undefined
    for await (const chunk of tar.read(piece, 0, call)) {
      first ??= Buffer.from(chunk.subarray(0, magicBytes))
      hash.update(chunk)
    }
    const compression = detectCompression(first ?? Buffer.alloc(0))
    const mediaType = layerTypes[compression]
    if (mediaType === undefined) {
      const what = `its layer ${JSON.stringify(name)} is packed with ${compression}`
      throw archiveInvalid(tar.name, `${what}, which no image may be`)
    }
    const digest = parseDigest(`sha256:${hash.digest('hex')}`)
    const layer = { mediaType, digest, size: piece.size }
    content.set(digest, piece)
    layers.set(name, layer)
    return layer
  }

  const images: ArchiveImage[] = []
  for (const item of await readItems(tar)) {
    const piece = tar.find(item.config)
    if (piece === undefined) {
      throw archiveInvalid(tar.name, `it lacks the config ${JSON.stringify(item.config)}`)
    }
    const config = add(mediaTypes.ociConfig, await tar.readDocument(piece, item.config))
    const own: Descriptor[] = []
    for (const layer of item.layers) own.push(await addLayer(layer))
    const mediaType = mediaTypes.ociManifest
    const manifest = { schemaVersion: 2, mediaType, config, layers: own }
    const descriptor = add(mediaType, Buffer.from(JSON.stringify(manifest)))
    images.push({ descriptor, names: item.names })
  }
  return { images, find: (digest) => content.get(digest) }
}

interface Item {
  readonly config: string
  readonly names: readonly string[]
  readonly layers: readonly string[]
}

async function readItems(tar: TarFile): Promise<readonly Item[]> {
  const piece = tar.find('manifest.json')
  if (piece === undefined) throw archiveInvalid(tar.name, 'it has no manifest.json')
  const document = parseJson(await tar.readDocument(piece, 'manifest.json'), 'manifest.json')
  if (!Array.isArray(document)) throw archiveInvalid(tar.name, 'its manifest.json is no list')
  if (document.length > maxDescriptors) {
    throw archiveInvalid(tar.name, `its manifest.json has more than ${maxDescriptors} images`)
  }
  return document.map((item) => {
    const config = fieldOf(item, 'Config')
    const layers = stringsOf(fieldOf(item, 'Layers'))
    const names = stringsOf(fieldOf(item, 'RepoTags') ?? [])
    if (typeof config !== 'string' || layers === undefined || names === undefined) {
      throw archiveInvalid(
        tar.name,
        'an entry of its manifest.json lacks Config, Layers or RepoTags',
      )
    }
    return { config, layers, names }
  })
}

function fieldOf(value: JsonValue, key: string): JsonValue | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject && key in value ? (Reflect.get(value, key) as JsonValue) : undefined
}

function stringsOf(value: JsonValue | undefined): readonly string[] | undefined {
  const isList = Array.isArray(value) && value.every((item) => typeof item === 'string')
  return isList ? value.filter((item) => typeof item === 'string') : undefined
}
