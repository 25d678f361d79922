import { gzipSync, zstdCompressSync } from 'node:zlib'
import { createHash } from 'node:crypto'
import { tarBytes } from '@katman/layer'
import { type Descriptor, mediaTypes, parseDigest, parsePlatform } from '@katman/oci'
import { beforeEach, afterEach, describe, expect, it } from 'vitest'
import { amd64, digestOf, encode, openWorkshop, type Workshop } from '../test/made-images.ts'
import { checkStore } from './index.ts'

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
})
afterEach(() => shop[Symbol.asyncDispose]())

const names = async (): Promise<readonly string[]> =>
  (await shop.store.references()).map(({ name }) => name)

async function expectNothing(): Promise<void> {
  expect(await shop.store.images()).toEqual([])
  expect(await names()).toEqual([])
  expect((await checkStore(shop.store, { level: 'hash' })).problems).toEqual([])
}

describe('pullImage', () => {
  it('names an image by its tag and by its digest; a second pull changes and moves nothing', async () => {
    const { manifest, id } = shop.add()
    const first = await shop.pull('registry.example/app:1', manifest)
    expect(first).toMatchObject({
      target: manifest,
      changed: true,
      movedBlobs: 1,
      images: [{ id }],
    })
    expect(await names()).toEqual([
      'registry.example/app:1',
      `registry.example/app@${manifest.digest}`,
    ])
    const again = await shop.pull('registry.example/app:1', manifest)
    expect(again).toMatchObject({ changed: false, movedBlobs: 0, movedBytes: 0 })
  })

  it('by digest names it by that digest alone', async () => {
    const { manifest } = shop.add()
    const { changed } = await shop.pull(`app@${manifest.digest}`, manifest)
    expect(changed).toBe(true)
    expect(await names()).toEqual([`docker.io/library/app@${manifest.digest}`])
  })

  it('moves a tag, and keeps what it meant by digest', async () => {
    const old = shop.add({ layers: ['shared', 'old'] })
    const renewed = shop.add({ layers: ['shared', 'new'] })
    await shop.pull('app:1', old.manifest)
    const moved = await shop.pull('app:1', renewed.manifest)
    expect(moved).toMatchObject({ changed: true, movedBlobs: 1 })
    expect((await shop.store.images()).map(({ id }) => id).toSorted()).toEqual(
      [old.id, renewed.id].toSorted(),
    )
    expect(await names()).toHaveLength(3)
  })

  it.each([
    ['uncompressed', mediaTypes.ociLayer, (tar: Uint8Array) => tar],
    ['gzip', mediaTypes.ociLayerGzip, gzipSync],
    ['zstd', mediaTypes.ociLayerZstd, zstdCompressSync],
    ['Docker', mediaTypes.dockerLayerGzip, gzipSync],
  ])('takes %s layers', async (_, mediaType, pack) => {
    const tar = tarBytes([{ name: 'hello', content: 'hello\n' }])
    const layer = shop.place.add(mediaType, pack(tar))
    const manifest = addManifest([layer], [digestOf(tar)])
    await shop.pull('app', manifest)
    const index = await shop.store.readLayerIndex(digestOf(tar))
    expect(index.entries.map(({ path }) => path)).toEqual(['hello'])
  })

  it('takes content under sha512', async () => {
    const tar = tarBytes([{ name: 'hello', content: 'hello\n' }])
    const hash = createHash('sha512').update(tar).digest('hex')
    const digest = parseDigest(`sha512:${hash}`)
    const layer: Descriptor = { mediaType: mediaTypes.ociLayer, digest, size: tar.byteLength }
    const manifest = addManifest([layer], [digest])
    const open = shop.place.open.bind(shop.place)
    const source = {
      ...shop.place,
      open: async (descriptor: Descriptor) =>
        descriptor.digest === digest
          ? (async function* () {
              yield tar
            })()
          : open(descriptor),
    }
    const { pullImage } = await import('./pull-image.ts')
    await shop.place.tag('latest', manifest)
    const reference = { registry: 'docker.io', repository: 'library/app' }
    await pullImage(shop.store, source, reference, { platform: amd64 })
    expect((await checkStore(shop.store, { level: 'hash' })).problems).toEqual([])
  })

  it('chooses a platform of an index, or takes all of them, and keeps the index', async () => {
    const images = ['amd64', 'arm64'].map((architecture) =>
      shop.add({ architecture, layers: [architecture] }),
    )
    const entries = images.map(({ manifest }, position) => ({
      ...manifest,
      platform: { os: 'linux', architecture: ['amd64', 'arm64'][position] ?? '' },
    }))
    const attestation: Descriptor = {
      ...shop.add({ architecture: 'unknown', config: { os: 'unknown' }, layers: ['proof'] })
        .manifest,
      platform: { os: 'unknown', architecture: 'unknown' },
      annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
    }
    const index = shop.addIndex([attestation, ...entries])
    const one = await shop.pull('app:1', index, { platform: parsePlatform('linux/arm64') })
    expect(one).toMatchObject({ target: index, images: [{ id: images[1]?.id }] })
    expect(await shop.store.images()).toHaveLength(1)
    const all = await shop.pull('app:1', index, { platform: 'all', shown: amd64 })
    expect(all.images.map(({ id }) => id)).toEqual([images[0]?.id, images[1]?.id])
    expect(await shop.store.has(attestation)).toBe(true)
  })

  it('goes through nested indexes, and lists the platforms there are', async () => {
    const { manifest, id } = shop.add()
    const inner = shop.addIndex([{ ...manifest, platform: amd64 }])
    const outer = shop.addIndex([inner])
    expect((await shop.pull('app', outer)).images[0]?.id).toBe(id)
    await expect(
      shop.pull('app:2', inner, { platform: parsePlatform('linux/s390x') }),
    ).rejects.toMatchObject({
      code: 'PLATFORM_UNKNOWN',
      message: 'no matching manifest for linux/s390x in the manifest list entries',
      hint: 'available: linux/amd64',
    })
  })

  it('passes over nested indexes without the platform, and says what all of them have', async () => {
    const amd = shop.add()
    const arm = shop.add({ architecture: 'arm64', layers: ['arm'] })
    const [first, second] = [
      shop.addIndex([{ ...arm.manifest, platform: { os: 'linux', architecture: 'arm64' } }]),
      shop.addIndex([{ ...amd.manifest, platform: amd64 }]),
    ]
    const outer = shop.addIndex([first, second])
    expect((await shop.pull('app', outer)).images.map(({ id }) => id)).toEqual([amd.id])
    await expect(
      shop.pull('app:2', outer, { platform: parsePlatform('linux/s390x') }),
    ).rejects.toMatchObject({
      code: 'PLATFORM_UNKNOWN',
      hint: 'available: linux/arm64, linux/amd64',
    })
    expect((await checkStore(shop.store, { level: 'hash' })).problems).toEqual([])
  })

  it('refuses an artifact, and stores nothing of it', async () => {
    const mediaType = mediaTypes.ociManifest
    const config = shop.place.add('application/vnd.example.sbom+json', encode({}))
    const artifact = shop.place.add(
      mediaType,
      encode({ schemaVersion: 2, mediaType, config, layers: [] }),
    )
    await expect(shop.pull('app', artifact)).rejects.toMatchObject({
      code: 'NOT_AN_IMAGE',
      message:
        'app:latest is not a container image: it is an artifact of type application/vnd.example.sbom+json',
    })
    await expectNothing()
  })

  it('refuses a layer that is not the one the config names', async () => {
    const tar = tarBytes([{ name: 'hello', content: 'hello\n' }])
    const layer = shop.place.add(mediaTypes.ociLayer, tar)
    const manifest = addManifest([layer], [digestOf(Buffer.from('other'))])
    await expect(shop.pull('app', manifest)).rejects.toMatchObject({
      code: 'LAYER_CONTENT_MISMATCH',
    })
    await expectNothing()
  })

  it.each([
    ['no tar at all', Buffer.from('garbage'.repeat(200)), 'TAR_INVALID'],
    [
      'a path that leaves the root',
      tarBytes([{ name: '../evil', content: 'x' }]),
      'LAYER_PATH_INVALID',
    ],
    [
      'a device that is a whiteout',
      tarBytes([{ name: 'x', type: 'character' }]),
      'LAYER_ENTRY_INVALID',
    ],
  ])('refuses a layer with %s', async (_, bytes, code) => {
    const layer = shop.place.add(mediaTypes.ociLayer, bytes)
    const manifest = addManifest([layer], [digestOf(bytes)])
    await expect(shop.pull('app', manifest)).rejects.toMatchObject({ code })
    await expectNothing()
  })

  it('stops when it is told to, and leaves no name', async () => {
    const { manifest } = shop.add({ layers: ['one', 'two'] })
    const stop = new AbortController()
    const pulling = shop.pull('app', manifest, {
      signal: stop.signal,
      onEvent: ({ type }) => type === 'queued' && stop.abort(new Error('stopped')),
    })
    await expect(pulling).rejects.toThrow('stopped')
    expect(await names()).toEqual([])
  })

  it('does not ask for layers that live elsewhere', async () => {
    const bytes = Buffer.from('far')
    const foreign = {
      mediaType: mediaTypes.ociForeignLayerGzip,
      digest: digestOf(bytes),
      size: 3,
      urls: ['https://far.example/'],
    }
    const manifest = addManifest([foreign], [digestOf(bytes)])
    expect(await shop.pull('app', manifest)).toMatchObject({ changed: true, movedBlobs: 0 })
    expect(await shop.store.has(foreign)).toBe(false)
    expect((await checkStore(shop.store, { level: 'hash' })).problems).toEqual([])
  })
})

function addManifest(layers: readonly Descriptor[], diffIDs: readonly string[]): Descriptor {
  const rootfs = { type: 'layers', diff_ids: diffIDs }
  const config = shop.place.add(mediaTypes.ociConfig, encode({ ...amd64, rootfs }))
  const mediaType = mediaTypes.ociManifest
  return shop.place.add(mediaType, encode({ schemaVersion: 2, mediaType, config, layers }))
}
