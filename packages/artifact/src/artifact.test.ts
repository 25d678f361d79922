import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { tarBytes, type TarInput } from '@katman/layer'
import { type Descriptor, mediaTypes } from '@katman/oci'
import { copyContent, type MemoryPlace, openMemoryPlace } from '@katman/transfer'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { packArtifact, unpackArtifact } from './index.ts'

let folder: string
let place: MemoryPlace
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'katman-artifact-test-'))
  place = openMemoryPlace()
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const into = (): string => path.join(folder, 'out')
const write = async (name: string, content: string): Promise<void> => {
  const file = path.join(folder, name)
  await mkdir(path.dirname(file), { recursive: true })
  await writeFile(file, content)
}
const pack = async (...paths: readonly string[]): Promise<Descriptor> => {
  await using packed = await packArtifact(
    { files: paths.map((one) => ({ path: one })) },
    { folder },
  )
  await copyContent(packed, place, packed.root)
  return packed.root
}

describe('unpackArtifact places all or nothing', () => {
  const artifact = (...titles: readonly string[]): Descriptor => {
    const layers = titles.map((title, position) =>
      place.add('text/plain', Buffer.from(`content ${position}`), {
        annotations: { 'org.opencontainers.image.title': title },
      }),
    )
    const mediaType = mediaTypes.ociManifest
    const config = place.add(mediaTypes.ociEmpty, Buffer.from('{}'))
    const document = { schemaVersion: 2, mediaType, artifactType: 'application/x', config, layers }
    return place.add(mediaType, Buffer.from(JSON.stringify(document)))
  }

  it.each([
    { titles: ['ok.txt', 'a', 'a/b'], reason: 'a is a file' },
    { titles: ['ok.txt', 'a\u001b[31m'], reason: 'a control character' },
    { titles: ['ok.txt', 'taken'], reason: 'there is a folder of this name' },
    { titles: ['ok.txt', 'file/below'], reason: 'is no folder' },
  ])('refuses $titles', async ({ titles, reason }) => {
    await mkdir(path.join(into(), 'taken'), { recursive: true })
    await writeFile(path.join(into(), 'file'), '')
    await expect(unpackArtifact(place, artifact(...titles), into())).rejects.toMatchObject({
      code: 'ARTIFACT_PATH_INVALID',
      message: expect.stringContaining(reason),
    })
    expect((await readdir(into())).toSorted()).toEqual(['file', 'taken'])
  })
})

describe('packArtifact and unpackArtifact', () => {
  it('bring files and folders back: content, modes, links, and two files with one content', async () => {
    await write('a.txt', 'same')
    await write('sub/b.txt', 'same')
    await write('tree/bin/run', '#!/bin/sh')
    await write('tree/empty', '')
    await chmod(path.join(folder, 'tree/bin/run'), 0o755)
    await symlink('../empty', path.join(folder, 'tree/bin/link'))
    const root = await pack('a.txt', './sub/b.txt', 'tree')
    const { placed } = await unpackArtifact(place, root, into())
    expect(placed.map(({ title }) => title)).toEqual(['a.txt', 'sub/b.txt', 'tree'])
    for (const name of ['a.txt', 'sub/b.txt']) {
      expect(await readFile(path.join(into(), name), 'utf8')).toBe('same')
    }
    const run = path.join(into(), 'tree/bin/run')
    expect((await lstat(run)).mode & 0o777).toBe(0o755)
    expect(Date.now() - (await lstat(run)).mtimeMs).toBeLessThan(60_000)
    expect(await readlink(path.join(into(), 'tree/bin/link'))).toBe('../empty')
    expect((await readdir(into())).toSorted()).toEqual(['a.txt', 'sub', 'tree'])
  })

  it('pack the same folder to the same bytes, whenever it was made', async () => {
    await write('tree/b', 'b')
    await write('tree/a', 'a')
    const before = await pack('tree')
    await utimes(path.join(folder, 'tree/a'), 1, 1)
    expect(await pack('tree')).toEqual(before)
  })

  it('replace files and fill folders that are there, or refuse to', async () => {
    await write('tree/a', 'new')
    await write('out/tree/a', 'old')
    await write('out/tree/mine', 'mine')
    const root = await pack('tree')
    await expect(unpackArtifact(place, root, into(), { keepOld: true })).rejects.toMatchObject({
      code: 'ARTIFACT_PATH_INVALID',
    })
    expect(await readFile(path.join(into(), 'tree/a'), 'utf8')).toBe('old')
    await unpackArtifact(place, root, into())
    expect(await readFile(path.join(into(), 'tree/a'), 'utf8')).toBe('new')
    expect(await readFile(path.join(into(), 'tree/mine'), 'utf8')).toBe('mine')
  })

  it.each([
    ['/etc/passwd', 'absolute'],
    ['../a.txt', 'upwards'],
    ['', 'names nothing'],
    ['missing', 'no such file'],
  ])('refuse to pack %j', async (name, reason) => {
    await expect(pack(name)).rejects.toThrow(reason)
  })

  it('refuse the same file twice', async () => {
    await write('a', 'a')
    await expect(pack('a', './a')).rejects.toThrow('given twice')
  })
})

describe('unpackArtifact and deceit', () => {
  it.each(['/etc/passwd', '../x', 'a/../../x', 'a\\..\\x', 'a\0b', '.', '..'])(
    'refuses the title %j, and places nothing',
    async (title) => {
      const root = artifact([file('good', 'x'), file(title, 'x')])
      await expect(unpackArtifact(place, root, into())).rejects.toMatchObject({
        code: 'ARTIFACT_PATH_INVALID',
      })
      await expect(readdir(into())).rejects.toThrow('ENOENT')
    },
  )

  it('refuses two files of one name, and a file below a link', async () => {
    const twice = artifact([file('a', '1'), file('./a', '2')])
    await expect(unpackArtifact(place, twice, into())).rejects.toThrow('two files')
    await mkdir(into())
    await mkdir(path.join(folder, 'elsewhere'))
    await symlink('../elsewhere', path.join(into(), 'link'))
    const below = artifact([file('link/a', '1')])
    await expect(unpackArtifact(place, below, into())).rejects.toThrow('is a link')
    expect(await readdir(path.join(folder, 'elsewhere'))).toEqual([])
  })

  it('replaces a link in the place of a file instead of following it', async () => {
    await write('target', 'old')
    await mkdir(into())
    await symlink('../target', path.join(into(), 'a'))
    await unpackArtifact(place, artifact([file('a', 'new')]), into())
    expect(await readFile(path.join(folder, 'target'), 'utf8')).toBe('old')
    expect((await lstat(path.join(into(), 'a'))).isFile()).toBe(true)
  })

  const link = (name: string, linkname: string, type: 'symlink' | 'hardlink' = 'symlink') => ({
    name,
    type,
    linkname,
  })
  it.each<[string, readonly TarInput[]]>([
    ['an entry outside', [{ name: 'd/a' }, { name: 'e' }]],
    ['an entry that leads upwards', [{ name: 'd/../../a' }]],
    ['an absolute entry', [{ name: '/d/a' }]],
    ['an absolute link', [link('d/a', '/etc/passwd')]],
    ['a link upwards', [link('d/a', '../x')]],
    ['a link to its own end', [link('d/a', '')]],
    ['a link down and up again', [link('d/s', 'x'), link('d/a', 's/../../x')]],
    ['an entry below a link', [link('d/s', '.'), { name: 'd/s/a' }]],
    ['a hard link to nothing', [link('d/a', 'd/nothing', 'hardlink')]],
    ['a hard link to outside', [link('d/a', 'etc/passwd', 'hardlink')]],
    ['a hard link through a link', [link('d/s', '.'), link('d/a', 'd/s/b', 'hardlink')]],
    ['a device', [{ name: 'd/a', type: 'character', devMajor: 1, devMinor: 3 }]],
    ['a pipe', [{ name: 'd/a', type: 'fifo' }]],
    [
      'the folder as a file',
      [
        { name: 'd', type: 'directory' },
        { name: 'd', content: 'x' },
      ],
    ],
    ['the folder missing', [{ name: 'd', type: 'symlink', linkname: 'e' }]],
  ])('refuses a packed folder with %s, and places nothing', async (_, entries) => {
    const root = artifact([packed('d', entries)])
    await expect(unpackArtifact(place, root, into())).rejects.toMatchObject({
      code: expect.stringMatching(/^ARTIFACT_(PATH|CONTENT)_INVALID$/),
    })
    expect(await readdir(into())).toEqual([])
  })

  it('takes links within the folder, and gives a hard link its own file without setuid', async () => {
    const root = artifact([
      packed('d', [
        { name: 'd/a', content: 'x', mode: 0o4755 },
        link('d/b', 'd/a', 'hardlink'),
        link('d/e/s', '../a'),
      ]),
    ])
    await unpackArtifact(place, root, into())
    expect(await readFile(path.join(into(), 'd/e/s'), 'utf8')).toBe('x')
    const [a, b] = await Promise.all(['d/a', 'd/b'].map((one) => lstat(path.join(into(), one))))
    expect(a?.mode).toBe((b?.mode ?? 0) & 0o100777)
    expect(a?.nlink).toBe(1)
  })

  it('stops what would take more than the artifact may: folders and copies together', async () => {
    const zeros = (name: string): TarInput => ({ name, content: '0'.repeat(40_000) })
    const sizes: number[] = []
    const unpack = (...layers: readonly Descriptor[]): Promise<unknown> =>
      unpackArtifact(place, artifact(layers), into(), {
        maxUnpackedBytes: (size) => {
          sizes.push(size)
          return 100_000
        },
      })
    const tooLarge = { code: 'LAYER_TOO_LARGE' }
    const [one, two, three] = ['a', 'b', 'c'].map((name) => packed(name, [zeros(`${name}/0`)]))
    if (one === undefined || two === undefined || three === undefined) throw new Error('three')
    await expect(unpack(one, two, three)).rejects.toMatchObject(tooLarge)
    const links = packed('d', [zeros('d/0'), link('d/1', 'd/0', 'hardlink')])
    await unpack(links)
    const more = packed('e', [
      zeros('e/0'),
      link('e/1', 'e/0', 'hardlink'),
      link('e/2', 'e/0', 'hardlink'),
    ])
    await expect(unpack(more)).rejects.toMatchObject(tooLarge)
    const same = ['f', 'g', 'h'].map((title) => file(title, '0'.repeat(40_000)))
    await expect(unpack(...same)).rejects.toMatchObject(tooLarge)
    expect(await readdir(into())).toEqual(['d'])
    expect(sizes).toEqual([one.size + two.size + three.size, links.size, more.size, 40_000])
    // What is not packed gives as much as there is.
    await unpack(file('i', '0'.repeat(200_000)))
  })

  it('refuses a file whose bytes lie elsewhere, and places nothing', async () => {
    const urls = ['https://far.example/layer']
    const foreign = { ...file('far', 'x'), mediaType: mediaTypes.ociForeignLayerGzip, urls }
    const root = artifact([file('near', 'y'), foreign])
    await expect(unpackArtifact(place, root, into())).rejects.toMatchObject({
      code: 'ARTIFACT_CONTENT_INVALID',
      message: expect.stringContaining('"far": it is not in the artifact'),
    })
    await expect(readdir(into())).rejects.toThrow('ENOENT')
  })

  it('refuses a folder with other content than was promised', async () => {
    const digest = `sha256:${'0'.repeat(64)}`
    const root = artifact([
      packed('d', [{ name: 'd/a' }], { 'io.deis.oras.content.digest': digest }),
    ])
    await expect(unpackArtifact(place, root, into())).rejects.toMatchObject({
      code: 'ARTIFACT_CONTENT_INVALID',
    })
  })
})

function file(title: string, content: string): Descriptor {
  const annotations = { 'org.opencontainers.image.title': title }
  return place.add('text/plain', Buffer.from(content), { annotations })
}

function packed(title: string, entries: readonly TarInput[], extra = {}): Descriptor {
  const annotations = {
    'org.opencontainers.image.title': title,
    'io.deis.oras.content.unpack': 'true',
    ...extra,
  }
  return place.add(mediaTypes.ociLayerGzip, gzipSync(tarBytes(entries)), { annotations })
}

function artifact(layers: readonly Descriptor[]): Descriptor {
  const mediaType = mediaTypes.ociManifest
  const config = place.add('application/vnd.oci.empty.v1+json', Buffer.from('{}'))
  const document = { schemaVersion: 2, mediaType, artifactType: 'application/x', config, layers }
  return place.add(mediaType, Buffer.from(JSON.stringify(document)))
}
