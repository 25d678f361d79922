import { describe, expect, it } from 'vitest'
import { codeOfPromise, collect, inChunks, readTar, sha256 } from '../test/read-tar.ts'
import { type ExportedLayer, exportTree } from './export-tree.ts'
import { indexLayer } from './layer-index.ts'
import { tarBytes, tarHeader, type TarInput } from './tar-writer.ts'

async function layerOf(bytes: Uint8Array, step?: number): Promise<ExportedLayer> {
  return { index: await indexLayer(inChunks(bytes), 'none'), open: () => inChunks(bytes, step) }
}

async function exported(layers: readonly (readonly TarInput[])[], step?: number): Promise<Buffer> {
  const all = await Promise.all(layers.map((entries) => layerOf(tarBytes(entries), step)))
  return collect(exportTree(all))
}

/** `type name -> link sha256`, in the order of the archive. */
async function listed(archive: Uint8Array): Promise<readonly string[]> {
  const { entries } = await indexLayer(inChunks(archive), 'none', { hashFiles: true })
  const hashes = new Map(contents.map((text) => [sha256(text), JSON.stringify(text)]))
  return entries.map(({ type, path, linkname, sha256: hash = '' }) =>
    [type, path, linkname === undefined ? [] : ['->', linkname], hashes.get(hash) ?? hash]
      .flat()
      .join(' ')
      .trim(),
  )
}

const contents = ['', 'one', 'two', 'three', 'x'.repeat(1500)]
const lower: readonly TarInput[] = [
  { name: 'bin', type: 'directory', mode: 0o700 },
  { name: 'bin/one', content: 'one', mtime: 5, mtimeNanos: 7 },
  { name: 'bin/long', content: 'x'.repeat(1500), uid: 3, gid: 4, mode: 0o4755 },
  { name: 'bin/a-link', type: 'hardlink', linkname: 'bin/one' },
  { name: 'etc/gone', content: 'two' },
  { name: 'etc/kept', content: 'two' },
  { name: 'old/x', content: 'three' },
  { name: 'dev/null', type: 'character', devMajor: 1, devMinor: 3 },
  { name: 'pipe', type: 'fifo' },
]
const upper: readonly TarInput[] = [
  { name: 'bin', type: 'directory', mode: 0o755 },
  { name: 'etc/.wh.gone' },
  { name: 'old/.wh..wh..opq' },
  { name: 'old/y', content: 'three' },
  { name: 'empty' },
  { name: 'sh', type: 'symlink', linkname: '/bin/one' },
]

describe('exportTree', () => {
  it('writes what is left of all layers, once, directories first', async () => {
    const archive = await exported([lower, upper])
    expect(await listed(archive)).toEqual([
      'directory bin',
      'directory dev',
      'directory etc',
      'directory old',
      'file bin/a-link "one"',
      'hardlink bin/one -> bin/a-link',
      `file bin/long "${'x'.repeat(1500)}"`,
      'file etc/kept "two"',
      'file old/y "three"',
      'character dev/null',
      'file empty ""',
      'fifo pipe',
      'symlink sh -> /bin/one',
    ])
    const entries = readTar(archive)
    const [bin] = entries
    expect(bin).toMatchObject({ name: 'bin/', mode: 0o755 })
    expect(entries.find(({ name }) => name === 'bin/long')).toMatchObject({
      mode: 0o4755,
      uid: 3,
      gid: 4,
    })
    expect(entries.find(({ name }) => name === 'bin/a-link')).toMatchObject({
      mtime: 5,
      mtimeNanos: 7,
    })
    expect(entries.find(({ type }) => type === 'character')).toMatchObject({
      devMajor: 1,
      devMinor: 3,
    })
  })

  it('gives the same bytes however the layers come', async () => {
    const whole = await exported([lower, upper])
    for (const step of [1, 100, 512, 777]) {
      expect((await exported([lower, upper], step)).equals(whole)).toBe(true)
    }
  })

  it('keeps extended attributes, long names and names that are no UTF-8', async () => {
    const xattrs = new Map([['user.note', Buffer.from([0, 255, 10])]])
    const long = `${'d/'.repeat(150)}${'n'.repeat(200)}`
    const archive = await exported([
      [
        { name: 'with', content: 'one', xattrs },
        { name: long, content: 'two' },
        { name: 'bytes-\udcff', content: 'three' },
      ],
    ])
    const entries = readTar(archive)
    expect(entries.find(({ name }) => name === 'with')?.xattrs).toEqual(
      new Map([['user.note', Uint8Array.of(0, 255, 10)]]),
    )
    const names = entries.map(({ name }) => name)
    expect(names).toContain(long)
    expect(names).toContain('bytes-\udcff')
  })

  it('keeps a hard link whose first name was removed above', async () => {
    const archive = await exported([lower, [{ name: 'bin/.wh.a-link' }]])
    expect(await listed(archive)).toContain('file bin/one "one"')
    expect((await listed(archive)).join('\n')).not.toContain('a-link')
  })

  it('keeps the holes of sparse files holes', async () => {
    const sparse = { size: 1_000_000_000_000, pieces: [4096, 3, 999_999_999_000, 3] }
    const content = Buffer.from('onetwo')
    const head = tarHeader({ name: 'sparse', sparse }, content.length)
    const bytes = Buffer.concat([head, content, Buffer.alloc(506 + 1024)])
    const archive = await collect(exportTree([await layerOf(bytes)]))
    const [entry] = readTar(archive)
    expect(entry).toMatchObject({ size: sparse.size, sparse: sparse.pieces, storedSize: 6 })
    expect(archive.subarray(entry?.offset, (entry?.offset ?? 0) + 6)).toEqual(content)
    expect(archive.length).toBeLessThan(10_000)
  })

  it('refuses a hard link to nothing', async () => {
    const code = codeOfPromise(exported([[{ name: 'a', type: 'hardlink', linkname: 'nope' }]]))
    expect(await code).toBe('LAYER_ENTRY_INVALID')
  })

  it('notices a layer that ends early', async () => {
    const bytes = tarBytes(lower)
    const { index } = await layerOf(bytes)
    const cut = exportTree([{ index, open: () => inChunks(bytes.subarray(0, 1500)) }])
    expect(await codeOfPromise(collect(cut))).toBe('LAYER_TRUNCATED')
  })
})
