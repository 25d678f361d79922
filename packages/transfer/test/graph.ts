import { gzipSync } from 'node:zlib'
import { type Descriptor, type Digest, mediaTypes } from '@katman/oci'
import type { MemoryPlace } from '../src/memory.ts'
import type { Target } from '../src/place.ts'
import { describeBytes } from './target-suite.ts'

// Graphs of content to copy, made in memory.

export const encode = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))

export function addImage(
  place: MemoryPlace,
  name: string,
  layers: readonly Descriptor[],
): Descriptor {
  const config = place.add(
    mediaTypes.ociConfig,
    encode({
      os: 'linux',
      architecture: 'amd64',
      author: name,
      rootfs: { type: 'layers', diff_ids: layers.map((layer) => diffIDs.get(layer.digest)) },
    }),
  )
  const mediaType = mediaTypes.ociManifest
  return place.add(mediaType, encode({ schemaVersion: 2, mediaType, config, layers }))
}

export const diffIDs = new Map<Digest, Digest>()
export function addLayer(place: MemoryPlace, content: string): Descriptor {
  const layer = place.add(mediaTypes.ociLayerGzip, gzipSync(content))
  diffIDs.set(layer.digest, describeBytes(Buffer.from(content)).digest)
  return layer
}

export function addIndex(place: MemoryPlace, manifests: readonly Descriptor[]): Descriptor {
  const mediaType = mediaTypes.ociIndex
  return place.add(mediaType, encode({ schemaVersion: 2, mediaType, manifests }))
}

/** A target that notes what is written, in order, and can be slow or fail. */
export function watch(place: MemoryPlace, onWrite?: (blob: Descriptor) => Promise<void>) {
  const written: Digest[] = []
  let running = 0
  let most = 0
  const target: Target = {
    name: 'watched',
    has: (descriptor) => place.has(descriptor),
    async write(descriptor, open, options) {
      running++
      most = Math.max(most, running)
      try {
        await onWrite?.(descriptor)
        await place.write(descriptor, open, options)
        written.push(descriptor.digest)
      } finally {
        running--
      }
    },
  }
  return { target, written, most: () => most, running: () => running }
}
