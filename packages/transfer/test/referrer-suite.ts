import { type Descriptor, mediaTypes } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import { copyContent } from '../src/copy.ts'
import { type MemoryPlace, openMemoryPlace } from '../src/memory.ts'
import type { ReferrerSource, Source, Target } from '../src/place.ts'
import { addImage, encode } from './graph.ts'

interface TestedPlace extends AsyncDisposable {
  readonly place: Target & Source & ReferrerSource
}

/** What every place that is a target and a source of referrers promises (`ReferrerSource`), whatever it is. */
export function referrerSuite(name: string, open: () => Promise<TestedPlace>): void {
  describe(`${name} as a source of referrers`, () => {
    it('lists what was written to it, with type and annotations, by subject and by type', async () => {
      await using tested = await open()
      const { place } = tested
      const source = openMemoryPlace()
      const image = addImage(source, 'one', [])
      const other = addImage(source, 'two', [])
      const sbom = addReferrer(source, image, 'application/spdx+json', { made: 'here' })
      const signature = addReferrer(source, image, 'application/signature')
      for (const root of [image, other]) await copyContent(source, place, root)
      expect(await place.referrers(image)).toEqual([])
      await copyContent(source, place, image, { referrers: true })
      const found = await place.referrers(image)
      expect(digests(found)).toEqual(digests([sbom, signature]))
      expect(found).toContainEqual({
        mediaType: mediaTypes.ociManifest,
        digest: sbom.digest,
        size: sbom.size,
        artifactType: 'application/spdx+json',
        annotations: { made: 'here' },
      })
      const filtered = await place.referrers(image, { artifactType: 'application/signature' })
      expect(digests(filtered)).toEqual([signature.digest])
      expect(await place.referrers(other)).toEqual([])
      expect(await place.referrers(sbom)).toEqual([])
    })

    it('lists each once, however often it is written, and all of those written at once', async () => {
      await using tested = await open()
      const { place } = tested
      const source = openMemoryPlace()
      const image = addImage(source, 'one', [])
      const made = Array.from({ length: 8 }, (_, number) =>
        addReferrer(source, image, `application/kind-${number}`),
      )
      await copyContent(source, place, image)
      const call = { referrers: true } as const
      await Promise.all(made.map((one) => copyContent(source, place, one)))
      await copyContent(source, place, image, call)
      expect(digests(await place.referrers(image))).toEqual(digests(made))
    })
  })
}

/** An artifact without files that refers to a content. */
export function addReferrer(
  place: MemoryPlace,
  subject: Descriptor,
  artifactType: string,
  annotations?: Readonly<Record<string, string>>,
): Descriptor {
  const mediaType = mediaTypes.ociManifest
  const config = place.add('application/vnd.oci.empty.v1+json', encode({}))
  const layers = [place.add('text/plain', encode(`${artifactType} of ${subject.digest}`))]
  const document = {
    schemaVersion: 2,
    mediaType,
    artifactType,
    config,
    layers,
    subject,
    annotations,
  }
  return place.add(mediaType, encode(document))
}

function digests(descriptors: readonly Descriptor[]): readonly string[] {
  return descriptors.map(({ digest }) => digest).toSorted()
}
