import { gzipSync } from 'node:zlib'
import { tarBytes } from '@katman/layer'
import { mediaTypes } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import { altered, cut, flipped, refusal, withoutLength } from './faults.ts'
import type { Fault } from './hostile-registry.ts'
import { digestOf, type HostileImage, noise } from './hostile-image.ts'
import { setUp } from './pull-setup.ts'

type Part = (image: HostileImage) => HostileImage['index']

const parts: readonly [string, Part][] = [
  ['index', (image) => image.index],
  ['manifest', (image) => image.manifest],
  ['config', (image) => image.config],
  ['small layer', (image) => image.layers[0]],
  ['large layer', (image) => image.layers[1]],
]

describe('a pull refuses', () => {
  it.each(parts)('one wrong bit in the %s', async (_, part) => {
    await using setup = await setUp()
    const { digest, size } = part(setup.image)
    for (const position of [0, Math.floor(size / 2), size - 1]) {
      setup.registry.disturb(new RegExp(`GET .*${digest}`), flipped(position))
      const error = await setup.refused()
      expect(error.code).toBe('DIGEST_MISMATCH')
      expect(error.message).toContain(digest)
      setup.registry.behave()
    }
    await setup.recovers()
  })

  it.each(parts)('a %s with the content of another', async (_, part) => {
    await using setup = await setUp()
    const { digest, size } = part(setup.image)
    const other = Buffer.alloc(size, 'other ')
    setup.registry.disturb(
      new RegExp(`GET .*${digest}`),
      altered(() => ({ body: other })),
    )
    expect(await setup.refused()).toMatchObject({ code: 'DIGEST_MISMATCH' })
    await setup.recovers()
  })

  it('a layer that is right as a blob and wrong inside', async () => {
    const content = tarBytes([{ name: 'usr/bin/app', content: 'evil' }])
    const promised = tarBytes([{ name: 'usr/bin/app', content: 'good' }])
    await using setup = await setUp({
      layer: { bytes: gzipSync(content), diffID: digestOf(promised) },
    })
    const error = await setup.refused()
    expect(error.code).toBe('LAYER_CONTENT_MISMATCH')
    expect(error.message).toContain(digestOf(promised))
    await setup.recovers()
  })

  it('fewer layers in the config than in the manifest', async () => {
    const rootfs = { type: 'layers', diff_ids: [] }
    await using setup = await setUp({ config: { rootfs } })
    const error = await setup.refused()
    expect(error.code).toBe('MANIFEST_INVALID')
    expect(error.message).toContain(setup.image.manifest.digest)
    await setup.recovers()
  })

  it.each([
    ['too small', -1, 'SIZE_MISMATCH'],
    ['too large', 1, 'SIZE_MISMATCH'],
    ['absurd', 2 ** 52, 'STORE_FULL'],
  ])('a layer whose descriptor says a size that is %s', async (_, by, code) => {
    await using setup = await setUp({
      lieInManifest: ({ layers: [small, large] }) => ({
        layers: [small, { ...large, size: (large?.size ?? 0) + by }],
      }),
    })
    const error = await setup.refused()
    expect(error.code).toBe(code)
    expect(error.message).toContain(setup.image.layers[1].digest)
    await setup.recovers()
  })

  it.each([
    ['config', 1],
    ['config', -1],
    ['manifest', 1],
    ['manifest', -1],
  ])('a %s whose descriptor is wrong by %i', async (kind, by) => {
    await using setup = await setUp(
      kind === 'config'
        ? { lieInManifest: ({ config }) => ({ config: { ...config, size: config.size + by } }) }
        : { lieInIndex: (manifest) => ({ ...manifest, size: manifest.size + by }) },
    )
    const error = await setup.refused()
    expect(error.code).toBe('SIZE_MISMATCH')
    const { config, manifest } = setup.image
    expect(error.message).toContain(kind === 'config' ? config.digest : manifest.digest)
    await setup.recovers()
  })

  it.each([
    ['index', -5],
    ['index', 5],
    ['config', -5],
    ['config', 5],
    ['large layer', -5],
    ['large layer', 5],
  ])('a Content-Length of the %s that is wrong by %i', async (kind, by) => {
    await using setup = await setUp()
    const { digest, size } = parts.find(([name]) => name === kind)?.[1](setup.image) ?? {}
    setup.registry.disturb(
      new RegExp(`GET .*${digest}`),
      altered(({ headers }) => ({
        headers: { ...headers, 'content-length': `${Number(size) + by}` },
      })),
    )
    const error = await setup.refused()
    expect(error.code).toBe('SIZE_MISMATCH')
    expect(error.message).toContain(digest)
    await setup.recovers()
  })

  it.each(parts)('a %s that goes on without a length', async (_, part) => {
    await using setup = await setUp()
    const { digest } = part(setup.image)
    setup.registry.disturb(
      new RegExp(`GET .*${digest}`),
      withoutLength((body) => Buffer.concat([body, noise(3_000_000)])),
    )
    const error = await setup.refused()
    expect(error.code).toBe('SIZE_MISMATCH')
    expect(error.message).toContain(digest)
    await setup.recovers()
  })

  it('the digest of other content announced for a tag', async () => {
    await using setup = await setUp()
    const { registry, image } = setup
    const lie = altered(({ headers }) => ({
      headers: { ...headers, 'docker-content-digest': digestOf(noise(3)) },
    }))
    registry.disturb(/HEAD .*manifests\/latest/, lie)
    const unknown = await setup.refused()
    expect(unknown.code).toBe('MANIFEST_UNKNOWN')
    expect(unknown.message).toContain(digestOf(noise(3)))
    // Where HEAD does not help, GET lies.
    registry.behave()
    registry.disturb(/HEAD .*manifests\/latest/, refusal(405, 'UNSUPPORTED'))
    registry.disturb(/GET .*manifests\/latest/, lie)
    const other = await setup.refused()
    expect(other.code).toBe('DIGEST_MISMATCH')
    expect(other.message).toContain(image.index.digest)
    await setup.recovers()
  })

  it('a document that is announced as another kind', async () => {
    await using setup = await setUp()
    setup.registry.disturb(/(HEAD|GET) .*manifests\/latest/, announced(mediaTypes.ociManifest))
    const error = await setup.refused()
    expect(error.code).toBe('MANIFEST_INVALID')
    expect(error.message).toContain(mediaTypes.ociIndex)
    setup.registry.behave()
    const old = announced(mediaTypes.dockerManifestV1Signed)
    setup.registry.disturb(/(HEAD|GET) .*manifests\/latest/, old)
    expect(await setup.refused()).toMatchObject({ code: 'MANIFEST_UNSUPPORTED' })
    await setup.recovers()
  })

  it('an index entry that calls its manifest an index', async () => {
    await using setup = await setUp({
      lieInIndex: (manifest) => ({ ...manifest, mediaType: mediaTypes.ociIndex }),
    })
    expect(await setup.refused()).toMatchObject({ code: 'MANIFEST_INVALID' })
    await setup.recovers()
  })

  it('bytes that were wrong before a cut, and takes the right ones when asked once more', async () => {
    await using setup = await setUp()
    const { digest } = setup.image.layers[1]
    const part = 400_000
    setup.registry.disturb(
      new RegExp(`GET .*${digest}`),
      async (exchange) => {
        const answer = await exchange.honest()
        const body = Buffer.from(answer.body.subarray(0, part)).fill('x', 1000, 2000)
        exchange.send({ ...answer, body })
      },
      1,
    )
    expect((await setup.pull()).images).toHaveLength(1)
    await setup.recovers()
  })

  it('what is no longer what it was: nothing kept of a cut pull spoils the next', async () => {
    await using setup = await setUp()
    const { digest } = setup.image.layers[1]
    const spoilt = altered(({ body }) => ({
      body: Buffer.from(body.subarray(0, 400_000)).fill('x', 1000, 2000),
    }))
    setup.registry.disturb(new RegExp(`GET .*${digest}`), spoilt, 1)
    setup.registry.disturb(new RegExp(`GET .*${digest}`), cut(0))
    expect(await setup.refused()).toMatchObject({ code: 'CONNECTION_LOST' })
    setup.registry.behave()
    const { images } = await setup.pull()
    expect(images).toHaveLength(1)
    await setup.recovers()
  })
})

/** The honest answer under another media type. */
function announced(type: string): Fault {
  return altered(({ headers }) => ({ headers: { ...headers, 'content-type': type } }))
}
