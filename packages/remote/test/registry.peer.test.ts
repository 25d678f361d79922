import { randomBytes } from 'node:crypto'
import { mediaTypes } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import { startRegistry } from '../../../test/peers/registry.ts'
import { digestOf } from './memory-registry.ts'
import { openRepository, readAll } from './support.ts'

const open = (bytes: Buffer) => async () =>
  (async function* () {
    yield bytes
  })()

describe('a real docker-registry', () => {
  it('takes an image, gives it back, lists its tags and lets Basic users in', async () => {
    await using registry = await startRegistry({ users: { alice: 'secret' } })
    await using opened = openRepository(registry, {
      credential: { kind: 'basic', username: 'alice', password: 'secret' },
    })
    const { repository } = opened
    const content = randomBytes(3_000_000)
    const layer = {
      mediaType: mediaTypes.ociLayer,
      digest: digestOf(content),
      size: content.byteLength,
    }
    const configBytes = Buffer.from(
      '{"os":"linux","architecture":"amd64","rootfs":{"type":"layers"}}',
    )
    const config = {
      mediaType: mediaTypes.ociConfig,
      digest: digestOf(configBytes),
      size: configBytes.byteLength,
    }
    const document = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        config,
        layers: [layer],
      }),
    )
    const manifest = {
      mediaType: mediaTypes.ociManifest,
      digest: digestOf(document),
      size: document.byteLength,
    }
    expect(await repository.has(layer)).toBe(false)
    await repository.write(layer, open(content))
    await repository.write(config, open(configBytes))
    await repository.write(manifest, open(document))
    await repository.tag('a', manifest)
    await repository.tag('b', manifest)
    expect(await repository.has(layer)).toBe(true)

    await using fresh = openRepository(registry, {
      credential: { kind: 'basic', username: 'alice', password: 'secret' },
    })
    expect(await fresh.repository.resolve('a')).toEqual(manifest)
    expect(
      Buffer.from((await fresh.repository.fetchManifest(manifest.digest)).bytes).equals(document),
    ).toBe(true)
    expect((await readAll(await fresh.repository.open(layer))).equals(content)).toBe(true)
    const rest = await readAll(await fresh.repository.open(layer, { start: 2_999_990 }))
    expect(rest.equals(content.subarray(2_999_990))).toBe(true)
    expect((await Array.fromAsync(fresh.repository.tags())).toSorted()).toEqual(['a', 'b'])
    await expect(fresh.repository.resolve('none')).rejects.toMatchObject({
      code: 'MANIFEST_UNKNOWN',
      details: { dockerMessage: 'manifest unknown: manifest unknown' },
    })

    await using stranger = openRepository(registry)
    await expect(stranger.repository.resolve('a')).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
  })
})
