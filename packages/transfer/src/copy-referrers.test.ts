import { type Descriptor, mediaTypes } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import { addImage, addIndex, addLayer, encode, watch } from '../test/graph.ts'
import { addReferrer } from '../test/referrer-suite.ts'
import { copyContent, type CopyEvent } from './copy.ts'
import { type MemoryPlace, openMemoryPlace } from './memory.ts'
import type { Source } from './place.ts'

const sbomType = 'application/spdx+json'

describe('copyContent with referrers', () => {
  it('takes along what refers to the index, to its images, and to that, each after its subject', async () => {
    const { source, index, image } = withIndex()
    const sbom = addReferrer(source, index, sbomType)
    const signature = addReferrer(source, sbom, 'application/signature')
    const scan = addReferrer(source, image, 'application/scan')
    const { target, written } = watch(openMemoryPlace())
    const events: CopyEvent[] = []
    const result = await copyContent(source, target, index, {
      referrers: true,
      onEvent: (event) => void events.push(event),
    })
    expect(result.referrers.map(({ descriptor }) => descriptor.digest).toSorted()).toEqual(
      [sbom, signature, scan].map(({ digest }) => digest).toSorted(),
    )
    const at = ({ digest }: Descriptor): number => written.indexOf(digest)
    expect(at(index)).toBeGreaterThan(0)
    expect(at(sbom)).toBeGreaterThan(at(index))
    expect(at(signature)).toBeGreaterThan(at(sbom))
    expect(at(scan)).toBeGreaterThan(at(image))
    // An artifact is no image of the result.
    expect(result.manifests.map(({ descriptor }) => descriptor)).toEqual([image])
    expect(events.filter(({ type }) => type === 'referrer')).toHaveLength(3)
    expect(events.filter(({ type }) => type === 'manifest')).toHaveLength(1)
  })

  it('leaves them without the option, and chooses by type with one', async () => {
    const { source, index } = withIndex()
    const sbom = addReferrer(source, index, sbomType)
    const signature = addReferrer(source, sbom, 'application/signature')
    const other = addReferrer(source, index, 'application/other')
    const plain = openMemoryPlace()
    await copyContent(source, plain, index)
    expect(await plain.has(sbom)).toBe(false)
    const target = openMemoryPlace()
    await copyContent(source, target, index, { referrers: { artifactType: sbomType } })
    expect(await target.has(sbom)).toBe(true)
    expect(await target.has(signature)).toBe(true)
    expect(await target.has(other)).toBe(false)
  })

  it('copies them whole, whatever is chosen of the image', async () => {
    const { source, index, image } = withIndex()
    const artifact = addReferrer(source, index, sbomType)
    const bundle = addIndexWithSubject(source, [artifact], index)
    const target = openMemoryPlace()
    await copyContent(source, target, index, {
      referrers: true,
      select: ({ manifests }) => manifests.filter(({ digest }) => digest === image.digest),
      accept(manifest) {
        if (manifest.artifactType !== undefined) throw new Error('not asked for')
      },
    })
    expect(await target.has(bundle)).toBe(true)
    expect(await target.has(artifact)).toBe(true)
  })

  it('lists again what a killed writer has left unlisted', async () => {
    const { source, index } = withIndex()
    const sbom = addReferrer(source, index, sbomType)
    const place = openMemoryPlace()
    await copyContent(source, place, index, { referrers: true })
    let listed = false
    const target = {
      ...place,
      referrers: async () => (listed ? [sbom] : []),
      async write(...call: Parameters<MemoryPlace['write']>) {
        if (call[0].digest === sbom.digest) listed = true
        await place.write(...call)
      },
    }
    await copyContent(source, target, index, { referrers: true })
    expect(listed).toBe(true)
  })

  it('refuses a list that lies before anything of it moves, and a source that has none', async () => {
    const { source, index } = withIndex()
    const other = addImage(source, 'other', [addLayer(source, 'other')])
    const target = openMemoryPlace()
    const lying = { ...source, referrers: async () => [other] }
    await expect(copyContent(lying, target, index, { referrers: true })).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
      message: `${other.digest} is listed as a referrer of ${index.digest}, but does not refer to it`,
    })
    expect(await target.has(other)).toBe(false)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a source without one of its methods
    const unknowing = Object.fromEntries(
      Object.entries(source).filter(([key]) => key !== 'referrers'),
    ) as unknown as Source
    await expect(copyContent(unknowing, target, index, { referrers: true })).rejects.toMatchObject({
      code: 'REFERRERS_UNSUPPORTED',
    })
  })

  it('refuses chains without end', async () => {
    const { source, index } = withIndex()
    let last = index
    for (let step = 0; step < 8; step++) last = addReferrer(source, last, 'application/step')
    await copyContent(source, openMemoryPlace(), index, { referrers: true })
    addReferrer(source, last, 'application/step')
    await expect(
      copyContent(source, openMemoryPlace(), index, { referrers: true }),
    ).rejects.toMatchObject({ code: 'GRAPH_LIMIT' })
  })
})

function withIndex() {
  const source = openMemoryPlace()
  const image = addImage(source, 'image', [addLayer(source, 'layer')])
  return { source, image, index: addIndex(source, [image]) }
}

function addIndexWithSubject(
  place: MemoryPlace,
  manifests: readonly Descriptor[],
  subject: Descriptor,
): Descriptor {
  const mediaType = mediaTypes.ociIndex
  return place.add(mediaType, encode({ schemaVersion: 2, mediaType, manifests, subject }))
}
