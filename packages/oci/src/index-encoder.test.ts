import { describe, expect, it } from 'vitest'
import { parseDigest } from './digest.ts'
import { indexJson, indexTypeFor, mergeEntries } from './index-encoder.ts'
import { parseManifest } from './manifest.ts'
import { mediaTypes } from './media-type.ts'

const entry = (letter: string, mediaType: string = mediaTypes.ociManifest) => ({
  mediaType,
  digest: parseDigest(`sha256:${letter.repeat(64)}`),
  size: 5,
  platform: { os: 'linux', architecture: 'arm', variant: 'v7', osVersion: '1' },
})

describe('indexJson', () => {
  it('writes what parseManifest reads', () => {
    const draft = { manifests: [entry('a'), entry('b')], annotations: { by: 'me' } }
    const bytes = Buffer.from(JSON.stringify(indexJson(draft)))
    expect(parseManifest(bytes, mediaTypes.ociIndex)).toMatchObject({ kind: 'index', ...draft })
  })

  it('is a Docker list only of Docker manifests, without annotations of its own', () => {
    const docker = entry('a', mediaTypes.dockerManifest)
    expect(indexTypeFor({ manifests: [docker] })).toBe(mediaTypes.dockerManifestList)
    expect(indexTypeFor({ manifests: [docker, entry('b')] })).toBe(mediaTypes.ociIndex)
    expect(indexTypeFor({ manifests: [docker], annotations: { a: 'b' } })).toBe(mediaTypes.ociIndex)
    const annotated = { ...docker, annotations: { a: 'b' } }
    expect(indexTypeFor({ manifests: [annotated] })).toBe(mediaTypes.dockerManifestList)
    expect(indexTypeFor({ manifests: [] })).toBe(mediaTypes.ociIndex)
  })
})

describe('mergeEntries', () => {
  it('keeps each digest once, where it first came, with all its annotations', () => {
    const first = { ...entry('a'), annotations: { one: '1', both: 'x' } }
    const again = { ...entry('a'), annotations: { two: '2', both: 'y' } }
    const merged = mergeEntries([first, entry('b'), again])
    expect(merged.map(({ digest }) => digest)).toEqual([first.digest, entry('b').digest])
    expect(merged[0]?.annotations).toEqual({ one: '1', two: '2', both: 'y' })
    expect(merged[1]).not.toHaveProperty('annotations')
  })
})
