import { describe, expect, it } from 'vitest'
import { codeOf } from '../test/codes.ts'
import {
  childrenOf,
  isAttestation,
  isImageManifest,
  maxDescriptors,
  parseManifest,
} from './manifest.ts'
import { mediaTypes } from './media-type.ts'

const digest = `sha256:${'ab'.repeat(32)}`
const config = { mediaType: mediaTypes.ociConfig, digest, size: 2 }
const layer = { mediaType: mediaTypes.ociLayerGzip, digest, size: 3 }
const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] }
const index = {
  schemaVersion: 2,
  mediaType: mediaTypes.ociIndex,
  manifests: [
    {
      mediaType: mediaTypes.ociManifest,
      digest,
      size: 4,
      platform: { os: 'linux', architecture: 'arm', variant: 'v7' },
    },
  ],
}

const read = (document: unknown, type: string = mediaTypes.ociManifest) =>
  parseManifest(
    Buffer.from(typeof document === 'string' ? document : JSON.stringify(document)),
    type,
  )
const verdict = (document: unknown, type?: string): string | undefined =>
  codeOf(() => read(document, type))

describe('parseManifest', () => {
  it('reads an OCI manifest, a Docker one, and one without media type', () => {
    for (const mediaType of [mediaTypes.ociManifest, mediaTypes.dockerManifest, undefined]) {
      const read = parseManifest(
        Buffer.from(JSON.stringify({ ...manifest, mediaType })),
        mediaType ?? mediaTypes.ociManifest,
      )
      expect(read).toMatchObject({ kind: 'manifest', config, layers: [layer] })
      expect(childrenOf(read)).toEqual([config, layer])
    }
  })

  it('reads an index and a manifest list', () => {
    for (const mediaType of [mediaTypes.ociIndex, mediaTypes.dockerManifestList]) {
      const read = parseManifest(Buffer.from(JSON.stringify({ ...index, mediaType })), mediaType)
      expect(read).toMatchObject({ kind: 'index', manifests: index.manifests })
      expect(childrenOf(read)).toEqual(index.manifests)
    }
  })

  it('knows images, artifacts and attestations', () => {
    const artifact = {
      ...manifest,
      config: { ...config, mediaType: 'application/vnd.example+json' },
    }
    const parse = (document: unknown): boolean => {
      const read = parseManifest(Buffer.from(JSON.stringify(document)), mediaTypes.ociManifest)
      return read.kind === 'manifest' && isImageManifest(read)
    }
    expect(parse(manifest)).toBe(true)
    expect(parse(artifact)).toBe(false)
    const annotations = { 'vnd.docker.reference.type': 'attestation-manifest' }
    const [entry] = childrenOf(
      read({ ...index, manifests: [{ ...index.manifests[0], annotations }] }, mediaTypes.ociIndex),
    )
    expect(entry !== undefined && isAttestation(entry)).toBe(true)
  })

  it.each([
    mediaTypes.dockerManifestV1,
    mediaTypes.dockerManifestV1Signed,
    'text/html',
    '',
    'application/json',
  ])('does not take %j for a manifest', (type) => {
    expect(verdict(manifest, type)).toBe('MANIFEST_UNSUPPORTED')
  })

  it.each<[string, unknown, string?]>([
    ['the layers of an image in an index', { ...index, layers: [layer] }, mediaTypes.ociIndex],
    ['a config in an index', { ...index, config }, mediaTypes.ociIndex],
    ['the entries of an index in a manifest', { ...manifest, manifests: [] }],
    ['fsLayers of schema 1', { ...manifest, fsLayers: [] }],
    ['an index announced as a manifest', index],
    ['a manifest announced as an index', manifest, mediaTypes.ociIndex],
    [
      'a Docker manifest announced as an OCI one',
      { ...manifest, mediaType: mediaTypes.dockerManifest },
    ],
    ['schemaVersion 1', { ...manifest, schemaVersion: 1 }],
    ['no schemaVersion', { ...manifest, schemaVersion: undefined }],
    ['no config', { ...manifest, config: undefined }],
    ['a config that is null', { ...manifest, config: null }],
    ['no entries in an index', { ...index, manifests: undefined }, mediaTypes.ociIndex],
    ['layers that are no list', { ...manifest, layers: {} }],
    ['a list as document', []],
    ['null as document', null],
    ['a key that differs by case', { ...manifest, Layers: [] }],
    [
      'a key of a descriptor that differs by case',
      { ...manifest, config: { ...config, Digest: digest } },
    ],
    ['a descriptor without digest', { ...manifest, config: { ...config, digest: undefined } }],
    ['a descriptor without size', { ...manifest, config: { ...config, size: undefined } }],
    [
      'a descriptor without media type',
      { ...manifest, config: { ...config, mediaType: undefined } },
    ],
    ['a digest that is a path', { ...manifest, layers: [{ ...layer, digest: 'sha256:../../x' }] }],
    ['a digest in capitals', { ...manifest, layers: [{ ...layer, digest: digest.toUpperCase() }] }],
    ['a digest of md5', { ...manifest, layers: [{ ...layer, digest: `md5:${'a'.repeat(32)}` }] }],
    ['a size in quotes', { ...manifest, layers: [{ ...layer, size: '5' }] }],
    ['annotations that are no texts', { ...manifest, annotations: { a: 1 } }],
    ['urls that are no list', { ...manifest, layers: [{ ...layer, urls: 'http://x' }] }],
    ['a subject that is none', { ...manifest, subject: 'x' }],
    [
      `more than ${maxDescriptors} layers`,
      { ...manifest, layers: Array(maxDescriptors + 1).fill(layer) },
    ],
  ])('refuses %s', (_, document, type) => {
    expect(verdict(document, type)).toBe('MANIFEST_INVALID')
  })

  it.each(['-1', '-0', '1e3', '1.0', '9007199254740992', '"5"', 'null', 'true', '[5]'])(
    'refuses %s as a size',
    (size) => {
      const text = JSON.stringify(manifest).replace('"size":3', `"size":${size}`)
      expect(verdict(text)).toBe('MANIFEST_INVALID')
    },
  )

  it('refuses what two readers could read differently', () => {
    const text = JSON.stringify(manifest)
    expect(verdict(text.replace('"layers"', '"layers":[],"layers"'))).toBe('JSON_INVALID')
    expect(verdict(`\ufeff${text}`)).toBe('JSON_INVALID')
    expect(verdict(`${text}{}`)).toBe('JSON_INVALID')
  })

  it('says where and why', () => {
    expect(() => read({ ...manifest, layers: [layer, { ...layer, size: -1 }] })).toThrow(
      'manifest.layers[1].size is -1, not a whole number from 0 to 2^53-1',
    )
  })
})
