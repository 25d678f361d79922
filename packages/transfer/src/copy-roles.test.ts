import { type Descriptor, mediaTypes } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import { addImage, addIndex, addLayer, encode } from '../test/graph.ts'
import { copyContent } from './copy.ts'
import { type MemoryPlace, openMemoryPlace } from './memory.ts'

// One content may be named in several roles. What is copied must be whole in each.

const mediaType = mediaTypes.ociManifest

function addArtifact(place: MemoryPlace, layers: readonly Descriptor[]): Descriptor {
  const config = place.add('application/vnd.example+json', encode({}))
  return place.add(mediaType, encode({ schemaVersion: 2, mediaType, config, layers }))
}

describe('copyContent of content in two roles', () => {
  it('copies what a manifest names, though an artifact holds the manifest as a file', async () => {
    const source = openMemoryPlace()
    const layer = addLayer(source, 'inside')
    const image = addImage(source, 'a', [layer])
    const artifact = addArtifact(source, [{ ...image, mediaType: 'application/json' }])
    const place = openMemoryPlace()
    const result = await copyContent(source, place, addIndex(source, [artifact, image]))
    expect(await place.has(layer)).toBe(true)
    expect(result.manifests).toHaveLength(2)
  })

  it('copies a layer that one manifest only says to be elsewhere', async () => {
    const source = openMemoryPlace()
    const layer = addLayer(source, 'here')
    const urls = ['https://far.example/layer']
    const foreign = { ...layer, mediaType: mediaTypes.ociForeignLayerGzip, urls }
    const place = openMemoryPlace()
    const images = [addImage(source, 'far', [foreign]), addImage(source, 'near', [layer])]
    await copyContent(source, place, addIndex(source, images))
    expect(await place.has(layer)).toBe(true)
  })
})
