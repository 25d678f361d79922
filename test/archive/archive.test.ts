import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { openArchive, saveArchive } from '@katman/archive'
import { tarBytes, type TarInput } from '@katman/layer'
import { isKatmanError, mediaTypes } from '@katman/oci'
import { checkStore, loadImage, loadImages, openStore, type Store } from '@katman/store'
import { openMemoryPlace } from '@katman/transfer'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'katman-archive-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const layer = tarBytes([{ name: 'etc/hello', content: 'hello\n' }])
const config = JSON.stringify({
  os: 'linux',
  architecture: 'amd64',
  rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
})
const item = { Config: 'c.json', RepoTags: ['app:1'], Layers: ['l/layer.tar'] }
const docker: readonly TarInput[] = [
  { name: 'c.json', content: config },
  { name: 'l', type: 'directory' },
  { name: 'l/layer.tar', content: layer },
  { name: 'manifest.json', content: JSON.stringify([item]) },
]

describe('openArchive', () => {
  it.each([
    ['plain', (bytes: Uint8Array) => bytes],
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ])('reads a docker archive, %s, from a file and from a stream', async (_, pack) => {
    const bytes = pack(tarBytes(docker))
    expect(await load(bytes)).toEqual(['app:1'])
    expect(await load(inPieces(bytes))).toEqual(['app:1'])
  })

  it('leaves no temporary file behind', async () => {
    await load(inPieces(tarBytes(docker)))
    await refusal(inPieces(Buffer.from('garbage')))
    expect((await readdir(folder)).filter((name) => name.startsWith('katman-archive'))).toEqual([])
  })

  it('follows links inside the archive only', async () => {
    const link = (linkname: string): TarInput => ({
      name: 'b/layer.tar',
      type: 'symlink',
      linkname,
    })
    const twice = replace(
      docker,
      'manifest.json',
      JSON.stringify([{ ...item, Layers: ['b/layer.tar'] }]),
    )
    expect(await load(tarBytes([...twice, link('../l/layer.tar')]))).toEqual(['app:1'])
    for (const bad of ['../../etc/passwd', '/etc/passwd', 'layer.tar', 'nowhere']) {
      expect(await refusal(tarBytes([...twice, link(bad)])), bad).toBe('ARCHIVE_INVALID')
    }
  })

  it.each<[string, readonly TarInput[]]>([
    ['nothing of an image', [{ name: 'readme', content: 'hello' }]],
    ['no config', docker.filter(({ name }) => name !== 'c.json')],
    ['no layer', docker.filter(({ name }) => name !== 'l/layer.tar')],
    ['a manifest.json that is no list', replace(docker, 'manifest.json', '{}')],
    ['a manifest.json of numbers', replace(docker, 'manifest.json', '[1]')],
    ['a manifest.json without layers', replace(docker, 'manifest.json', '[{"Config":"c.json"}]')],
    [
      'a config that is a folder',
      replace(docker, 'manifest.json', JSON.stringify([{ ...item, Config: 'l' }])),
    ],
    ['a path that leaves it', [...docker, { name: '../evil', content: 'x' }]],
    ['an absolute path with ..', [...docker, { name: '/a/../../evil', content: 'x' }]],
    ['an oci-layout without index', [{ name: 'oci-layout', content: '{}' }]],
  ])('refuses %s', async (_, entries) => {
    expect(await refusal(tarBytes(entries))).toBe('ARCHIVE_INVALID')
  })

  it('refuses documents beyond 4 MiB, JSON that is none, a config that lies', async () => {
    const large = replace(docker, 'c.json', `${config}${' '.repeat(5 * 1024 * 1024)}`)
    expect(await refusal(tarBytes(large))).toBe('ARCHIVE_INVALID')
    expect(await refusal(tarBytes(replace(docker, 'manifest.json', '[{]')))).toBe('JSON_INVALID')
    expect(await refusal(tarBytes(replace(docker, 'c.json', 'null')))).toBe('CONFIG_INVALID')
    const lie = config.replace(/sha256:\w{64}/, `sha256:${'0'.repeat(64)}`)
    expect(await refusal(tarBytes(replace(docker, 'c.json', lie)))).toBe('LAYER_CONTENT_MISMATCH')
  })

  it('refuses an archive that is cut anywhere', async () => {
    const bytes = tarBytes(docker)
    for (let length = 0; length < bytes.byteLength - 1024; length += 700) {
      expect(await refusal(bytes.subarray(0, length)), String(length)).toBe('ARCHIVE_INVALID')
    }
  })

  it('names a file that is not there', async () => {
    const opening = openArchive(path.join(folder, 'nope.tar'))
    await expect(opening).rejects.toMatchObject({ code: 'ARCHIVE_UNKNOWN' })
  })
})

describe('saveArchive', () => {
  it('writes what openArchive reads, without what is not there', async () => {
    const saved = await savedIndex()
    expect(await load(saved)).toEqual(['docker.io/library/app:1'])
    expect(Buffer.compare(await savedIndex(), saved)).toBe(0)
  })

  it.each(['config', 'layer', 'manifest'])(
    'is refused with a flipped byte in its %s',
    async (part) => {
      const saved = await savedIndex()
      const text = { config: '"rootfs"', layer: 'hello\n', manifest: '"layers"' }[part] ?? ''
      const at = saved.indexOf(text)
      expect(at).toBeGreaterThan(0)
      saved[at + 1] = (saved[at + 1] ?? 0) ^ 1
      expect(await refusal(saved)).toBe('DIGEST_MISMATCH')
    },
  )
})

/** An archive of an index of two images of which one is there. */
async function savedIndex(): Promise<Buffer> {
  const place = openMemoryPlace()
  const parts = {
    config: place.add(mediaTypes.ociConfig, Buffer.from(config)),
    layers: [place.add(mediaTypes.ociLayer, layer)],
  }
  const mediaType = mediaTypes.ociManifest
  const body = { schemaVersion: 2, mediaType, ...parts }
  const manifest = place.add(mediaType, Buffer.from(JSON.stringify(body)))
  const absent = { ...manifest, digest: digestOf(Buffer.from('absent')) }
  const platform = (architecture: string): object => ({ platform: { os: 'linux', architecture } })
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [
      { ...manifest, ...platform('amd64') },
      { ...absent, ...platform('arm64') },
    ],
  }
  const root = place.add(mediaTypes.ociIndex, Buffer.from(JSON.stringify(index)))
  const names = [{ registry: 'docker.io', repository: 'library/app', tag: '1' }]
  const has = place.has.bind(place)
  return collect(saveArchive(place, [{ root, manifest, names }], { has }))
}

/** The names that an archive loads into a store of its own. */
async function load(from: Uint8Array | AsyncIterable<Uint8Array>): Promise<readonly string[]> {
  await using store = await openStore({ root: path.join(folder, 'store'), workers: 0 })
  const loaded = await loadInto(store, from)
  expect((await checkStore(store, { level: 'hash' })).problems).toEqual([])
  const images = await loadImages(store)
  expect(images.length).toBeGreaterThan(0)
  return loaded
}

/** The code of the error that refuses an archive; nothing of it is in the store then. */
async function refusal(from: Uint8Array | AsyncIterable<Uint8Array>): Promise<string> {
  await using store = await openStore({ root: path.join(folder, 'refused'), workers: 0 })
  try {
    await loadInto(store, from)
  } catch (error) {
    expect(await store.images()).toEqual([])
    expect(await store.references()).toEqual([])
    if (isKatmanError(error)) return error.code
    throw error
  }
  return 'loaded'
}

async function loadInto(
  store: Store,
  from: Uint8Array | AsyncIterable<Uint8Array>,
): Promise<readonly string[]> {
  const file = path.join(folder, 'archive')
  if (from instanceof Uint8Array) await writeFile(file, from)
  const source = from instanceof Uint8Array ? file : from
  await using archive = await openArchive(source, { temporary: folder })
  const names: string[] = []
  for (const image of archive.images) {
    const reference = { registry: 'docker.io', repository: 'library/app', tag: '1' }
    const has = archive.has.bind(archive)
    await loadImage(store, archive, image.descriptor, [reference], { has })
    names.push(...image.names)
  }
  return names
}

function replace(entries: readonly TarInput[], name: string, content: string): readonly TarInput[] {
  return entries.map((entry) => (entry.name === name ? { ...entry, content } : entry))
}

async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += 1000) yield bytes.subarray(at, at + 1000)
}

async function collect(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of bytes) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}
