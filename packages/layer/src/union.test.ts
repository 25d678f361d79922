import { parseDigest } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import { rawEntry, rawTar } from '../test/raw-tar.ts'
import { codeOf, inChunks, readLayer } from '../test/read-tar.ts'
import { indexLayer, type LayerIndex } from './layer-index.ts'
import { layerChanges } from './layer-changes.ts'
import { tarBytes, type TarInput } from './tar-writer.ts'
import { unionOf } from './union.ts'

const layer = (...inputs: TarInput[]): Promise<LayerIndex> =>
  indexLayer(inChunks(tarBytes(inputs)), 'none')
const dir = (name: string, rest: Partial<TarInput> = {}): TarInput => ({
  name,
  type: 'directory',
  ...rest,
})
const file = (name: string, content = name): TarInput => ({ name, content })
const link = (name: string, linkname: string): TarInput => ({ name, type: 'symlink', linkname })
const hard = (name: string, linkname: string): TarInput => ({ name, type: 'hardlink', linkname })

const paths = (layers: readonly LayerIndex[]) => [...unionOf(layers).keys()].toSorted()

describe('unionOf', () => {
  it('merges directories, replaces files and says which layer a path is from', async () => {
    const union = unionOf([
      await layer(dir('etc'), file('etc/a', 'one'), file('etc/b')),
      await layer(dir('etc', { mode: 0o700 }), file('etc/a', 'other')),
    ])
    expect([...union.keys()].toSorted()).toEqual(['.', 'etc', 'etc/a', 'etc/b'])
    expect(union.get('etc')).toMatchObject({ layer: 1, entry: { mode: 0o700 } })
    expect(union.get('etc/a')).toMatchObject({ layer: 1, entry: { size: 5 } })
    expect(union.get('etc/b')?.layer).toBe(0)
  })

  it('makes directories up that no layer names', async () => {
    const union = unionOf([await layer(file('a/b/c'))])
    expect(union.get('a/b')).toMatchObject({ entry: { type: 'directory', mode: 0o755 } })
  })

  it('applies whiteouts to lower layers only, and ignores those of nothing', async () => {
    const lower = await layer(dir('d'), file('d/a'), file('d/b'), file('e'))
    const upper = await layer(file('d/a', 'new'), file('d/.wh.a'), file('.wh.e'), file('x/y/.wh.z'))
    expect(paths([lower, upper])).toEqual(['.', 'd', 'd/a', 'd/b'])
    expect(unionOf([lower, upper]).get('d/a')).toMatchObject({ layer: 1 })
    expect(paths([lower, await layer(file('.wh.d'))])).toEqual(['.', 'e'])
  })

  it('gives the same tree for every order of opaque mark, whiteout, file and directory', async () => {
    const lower = await layer(
      dir('d'),
      file('d/old'),
      file('d/gone'),
      dir('d/sub'),
      file('d/sub/x'),
    )
    const parts = [file('d/.wh..wh..opq'), file('d/.wh.gone'), file('d/new'), dir('d/sub')]
    for (const order of permutations(parts)) {
      expect(paths([lower, await layer(...order)])).toEqual(['.', 'd', 'd/new', 'd/sub'])
    }
    expect(paths([lower, await layer(file('.wh..wh..opq'))])).toEqual(['.'])
  })

  it('lets the last of one name win inside a layer', async () => {
    const union = unionOf([
      await layer(file('a', '1'), file('a', '22'), dir('d'), file('d/x'), dir('d')),
    ])
    expect(union.get('a')?.entry.size).toBe(2)
    expect(union.has('d/x')).toBe(true)
    expect(paths([await layer(dir('d'), file('d/x'), file('d'))])).toEqual(['.', 'd'])
    expect(paths([await layer(file('d'), file('d/x'))])).toEqual(['.', 'd', 'd/x'])
    expect(paths([await layer(file('A'), file('a'))])).toEqual(['.', 'A', 'a'])
  })

  it('replaces a directory by a file or link and the other way round', async () => {
    const lower = await layer(dir('d'), file('d/x'), file('f'))
    expect(paths([lower, await layer(link('d', '/f'))])).toEqual(['.', 'd', 'f'])
    expect(paths([lower, await layer(dir('f'), file('f/y'))])).toEqual([
      '.',
      'd',
      'd/x',
      'f',
      'f/y',
    ])
    const again = await layer(dir('d'))
    expect(paths([lower, await layer(file('d')), again])).toEqual(['.', 'd', 'f'])
  })

  it('puts a directory in place of a lower link, but follows a link of the same layer', async () => {
    const lower = await layer(dir('run'), link('var/run', '/run'))
    const through = unionOf([lower, await layer(file('var/run/pid'))])
    expect(through.get('var/run')?.entry.type).toBe('directory')
    const same = unionOf([await layer(dir('run'), link('var/run', '/run'), file('var/run/pid'))])
    expect(same.get('var/run')?.entry.type).toBe('symlink')
    expect(same.has('run/pid')).toBe(true)
  })

  it('stays inside the root whatever a link says', async () => {
    const up = await layer(link('l', '../../..'), file('l/x'), link('m', '/../a/..'), file('m/y'))
    expect(paths([up])).toEqual(['.', 'a', 'l', 'm', 'x', 'y'])
    const loop = await layer(link('a', 'b'), link('b', 'a'), file('a/x'))
    expect(codeOf(() => unionOf([loop]))).toBe('LAYER_PATH_INVALID')
    const chain = Array.from({ length: 42 }, (_, at) => link(`l${at + 1}`, `l${at}`))
    const deep = await layer(dir('l0'), ...chain, file('l42/x'))
    expect(codeOf(() => unionOf([deep]))).toBe('LAYER_PATH_INVALID')
  })

  it('shares the content of hard links, across layers too', async () => {
    const lower = await layer(file('a', 'content'))
    const upper = await layer(hard('b', '/a'), hard('c', 'b'), hard('none', 'later'), file('later'))
    const union = unionOf([lower, upper, await layer(file('.wh.a'))])
    for (const name of ['b', 'c']) {
      expect(union.get(name)).toMatchObject({
        layer: 1,
        content: { layer: 0, entry: { path: 'a' } },
      })
    }
    expect(union.get('none')?.content).toBeUndefined()
  })

  it('takes names as names, not as properties', async () => {
    const names = ['__proto__', 'constructor', 'hasOwnProperty', '__proto__x/toString']
    const union = unionOf([await layer(...names.map((name) => file(name)))])
    for (const name of names) expect(union.get(name)?.entry.type).toBe('file')
  })

  it('is linear: 10,000 whiteouts and 10,000 opaque marks over 10,000 files, a long list, a deep tree', () => {
    const index = (...parts: Uint8Array[]): LayerIndex => ({
      diffID: parseDigest(`sha256:${'0'.repeat(64)}`),
      size: 0,
      entries: readLayer(rawTar(...parts)),
    })
    const many = (name: (at: number) => string) =>
      Buffer.concat(Array.from({ length: 10_000 }, (_, at) => rawEntry({ name: name(at) })))
    const lower = index(many((at) => `d/${at}`))
    const upper = index(
      many(() => 'd/.wh..wh..opq'),
      many((at) => `d/.wh.${at}`),
      many((at) => `d/new${at}`),
    )
    const deep = index(
      rawEntry({ name: `${'a/'.repeat(49)}b` }),
      many((at) => `${'a/'.repeat(40)}${at}`),
    )
    const start = performance.now()
    expect(unionOf([lower, upper]).size).toBe(10_002)
    expect(layerChanges([lower, upper])[1]?.deleted).toHaveLength(10_000)
    expect(unionOf([deep]).size).toBe(10_051)
    expect(performance.now() - start).toBeLessThan(3000)
  })
})

describe('layerChanges', () => {
  const names = (changes: readonly { readonly path: string }[] | undefined) =>
    changes?.map((change) => change.path).toSorted()

  it('tells what each layer adds, changes, deletes, hides and wastes', async () => {
    const [base, middle, top] = layerChanges([
      await layer(
        dir('etc'),
        file('etc/a', 'x'.repeat(100)),
        file('etc/b', 'y'.repeat(10)),
        file('z'),
      ),
      await layer(dir('etc'), file('etc/a', 'new'), file('.wh.z'), file('big', 'b'.repeat(1000))),
      await layer(file('.wh.big'), file('etc/.wh.b'), file('c', 'cc')),
    ])
    expect(names(base?.added)).toEqual(['etc', 'etc/a', 'etc/b', 'z'])
    expect(base).toMatchObject({ addedBytes: 111, changedBytes: 0, wastedBytes: 111 })
    expect(base?.hidden).toEqual([
      { path: 'z', type: 'file', size: 1, byLayer: 1, by: 'deleted' },
      { path: 'etc/a', type: 'file', size: 100, byLayer: 1, by: 'replaced' },
      { path: 'etc/b', type: 'file', size: 10, byLayer: 2, by: 'deleted' },
    ])
    expect(names(middle?.added)).toEqual(['big'])
    expect(middle?.changed).toEqual([{ path: 'etc/a', type: 'file', size: 3 }])
    expect(middle?.deleted).toEqual([{ path: 'z', type: 'file', size: 1, layer: 0 }])
    expect(middle).toMatchObject({ addedBytes: 1000, changedBytes: 3, wastedBytes: 1000 })
    expect(names(top?.deleted)).toEqual(['big', 'etc/b'])
    expect(top).toMatchObject({ addedBytes: 2, deletedBytes: 1010, wastedBytes: 0 })
  })

  it('calls what a layer takes away and brings back changed', async () => {
    const [, upper] = layerChanges([
      await layer(dir('d'), file('d/a'), file('d/b')),
      await layer(file('d/.wh..wh..opq'), file('d/a', 'new'), file('d/a', 'newer')),
    ])
    expect(names(upper?.changed)).toEqual(['d/a'])
    expect(names(upper?.deleted)).toEqual(['d/b'])
    expect(upper?.added).toEqual([])
  })

  it('calls a directory changed only when its metadata is', async () => {
    const [, same, other] = layerChanges([
      await layer(dir('d', { mtime: 5 })),
      await layer(dir('d', { mtime: 9 })),
      await layer(dir('d', { mode: 0o700 })),
    ])
    expect(same).toMatchObject({ added: [], changed: [] })
    expect(names(other?.changed)).toEqual(['d'])
  })

  it('calls content wasted only when its last name is gone', async () => {
    const shared = await layer(file('a', '12345'), hard('b', 'a'))
    const first = await layer(file('.wh.a'))
    expect(layerChanges([shared, first])[0]?.wastedBytes).toBe(0)
    expect(layerChanges([shared, first, await layer(file('.wh.b'))])[0]?.wastedBytes).toBe(5)
  })
})

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]]
  return items.flatMap((item, at) =>
    permutations(items.toSpliced(at, 1)).map((rest) => [item, ...rest]),
  )
}
