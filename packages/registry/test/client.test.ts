import { createRemote, defaultSettings, type Remote } from '@katman/remote'
import { type Descriptor, mediaTypes } from '@katman/oci'
import { copyContent, type MemoryPlace, openMemoryPlace } from '@katman/transfer'
import { describe, expect, it } from 'vitest'
import type { ServeOptions } from '../src/index.ts'
import { digestOf, startRegistry, storages, type TestRegistry } from './support.ts'

const users = { ayse: 'parola' }

describe.each(storages)('the client and %s', (kind) => {
  it.each<[string, ServeOptions['auth']]>([
    ['openly', undefined],
    ['with a password', { kind: 'basic', users }],
    ['with a token', { kind: 'bearer', users }],
  ])('push and pull %s', async (_, auth) => {
    const requests: string[] = []
    await using registry = await startRegistry(kind, {
      ...(auth === undefined ? {} : { auth }),
      onRequest: ({ method }) => void requests.push(method),
    })
    await using remote = openRemote('parola')
    const repository = remote.repository({ registry: registry.host, repository: 'team/app' })
    const { place, index } = makeImage()
    await copyContent(place, repository, index)
    await repository.tag('1.0', index)
    await repository.tag('2.0', index)
    expect(await Array.fromAsync(repository.tags())).toEqual(['1.0', '2.0'])

    await using reader = openRemote('parola')
    const source = reader.repository({ registry: registry.host, repository: 'team/app' })
    expect(await source.resolve('1.0')).toMatchObject({ digest: index.digest, size: index.size })
    const copy = openMemoryPlace('copy')
    const result = await copyContent(source, copy, index)
    expect(result.movedBlobs).toBe(1)
    expect(await copy.has(index)).toBe(true)

    requests.length = 0
    const again = await copyContent(place, repository, index)
    expect(again.movedBlobs).toBe(0)
    expect(requests.filter((method) => method !== 'HEAD' && method !== 'GET')).toEqual([])
  })

  it.each([['basic'], ['bearer']] as const)('refuse a wrong password: %s', async (auth) => {
    await using registry = await startRegistry(kind, { auth: { kind: auth, users } })
    await using remote = openRemote('wrong')
    const repository = remote.repository({ registry: registry.host, repository: 'team/app' })
    await expect(repository.resolve('1.0')).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
    await expect(login(remote, registry, 'wrong')).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
    await login(remote, registry, 'parola')
  })
})

function login(remote: Remote, registry: TestRegistry, password: string): Promise<unknown> {
  return remote.authenticate({ registry: registry.host, username: 'ayse', password })
}

function openRemote(password: string): Remote {
  return createRemote({
    settings: defaultSettings,
    credentials: { get: async () => ({ kind: 'basic', username: 'ayse', password }) },
    userAgent: 'katman-test',
  })
}

function makeImage(): { readonly place: MemoryPlace; readonly index: Descriptor } {
  const place = openMemoryPlace('made here')
  const content = Buffer.alloc(1_000_000, 'layer ')
  const config = place.add(
    mediaTypes.ociConfig,
    json({
      os: 'linux',
      architecture: 'amd64',
      rootfs: { type: 'layers', diff_ids: [digestOf(content)] },
    }),
  )
  const layer = place.add(mediaTypes.ociLayer, content)
  const manifest = place.add(
    mediaTypes.ociManifest,
    json({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] }),
  )
  const index = place.add(
    mediaTypes.ociIndex,
    json({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [manifest] }),
  )
  return { place, index }
}

function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value))
}
