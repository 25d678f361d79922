import { describe, expect, it } from 'vitest'
import { base256, rawEntry, rawPax, rawTar } from '../test/raw-tar.ts'
import { codeOf, readLayer } from '../test/read-tar.ts'

const dialects = ['v7', 'ustar', 'gnu'] as const
const layer = (...parts: Uint8Array[]) => readLayer(rawTar(...parts))
const verdict = (...parts: Uint8Array[]) => codeOf(() => layer(...parts))
const pathOf = (name: string | Uint8Array, flag = '0') => layer(rawEntry({ name, flag }))[0]?.path

describe('layerEntry: names', () => {
  it.each([
    '..',
    '../x',
    '/../x',
    'a/../../x',
    './/../x',
    'a/./../../x',
    'a/..',
    'a/../x',
    '../root-evil/secret',
  ])('refuses %j in every dialect', (name) => {
    for (const dialect of dialects) {
      expect(verdict(rawEntry({ name, dialect }))).toBe('LAYER_PATH_INVALID')
      expect(verdict(rawEntry({ name: `${name}/`, dialect, flag: '5' }))).toBe('LAYER_PATH_INVALID')
    }
    expect(verdict(rawPax([['path', name]]), rawEntry({}))).toBe('LAYER_PATH_INVALID')
  })

  it('cleans slashes and dots', () => {
    expect(pathOf('////etc/x')).toBe('etc/x')
    expect(pathOf('a//b/./c')).toBe('a/b/c')
    expect(pathOf('./usr/', '5')).toBe('usr')
    expect(pathOf('...')).toBe('...')
  })

  it.each(['.', './', '/', '/.', '//'])('takes %j for the root, which is a directory', (name) => {
    expect(pathOf(name, '5')).toBe('.')
    const codes = ['LAYER_ENTRY_INVALID', 'TAR_INVALID']
    expect(codes).toContain(verdict(rawEntry({ name })))
    expect(verdict(rawEntry({ name, flag: '2', linkname: '/' }))).toBe('LAYER_ENTRY_INVALID')
  })

  it('takes backslash, colon, newline and escapes as they are', () => {
    for (const name of [
      '\\..\\x',
      'C:x',
      'a\nb',
      '\u001b[2J',
      '12',
      '__proto__',
      'constructor/x',
    ]) {
      expect(pathOf(name)).toBe(name)
    }
    expect(pathOf(Buffer.from([0xff]))).not.toBe(pathOf(Buffer.from([0xfe])))
  })

  it('bounds components, paths and depth, in bytes', () => {
    const path = (name: string) => verdict(rawPax([['path', name]]), rawEntry({}))
    expect(path('x'.repeat(255))).toBeUndefined()
    expect(path('x'.repeat(256))).toBe('LAYER_PATH_INVALID')
    expect(path('é'.repeat(127))).toBeUndefined()
    expect(path('é'.repeat(128))).toBe('LAYER_PATH_INVALID')
    expect(path(`${'x'.repeat(255)}/`.repeat(15) + 'y'.repeat(256 - 1))).toBeUndefined()
    expect(path(`${'x'.repeat(255)}/`.repeat(16) + 'y')).toBe('LAYER_PATH_INVALID')
    expect(path('a/'.repeat(1023) + 'b')).toBeUndefined()
    expect(path('a/'.repeat(1024) + 'b')).toBe('LAYER_PATH_INVALID')
    expect(verdict(rawEntry({ name: '' }))).toBe('LAYER_PATH_INVALID')
  })
})

describe('layerEntry: links', () => {
  it('keeps the target of a symlink as written', () => {
    for (const linkname of ['/run', '../../x', 'a/../b', '.']) {
      expect(layer(rawEntry({ flag: '2', linkname }))[0]?.linkname).toBe(linkname)
    }
    expect(verdict(rawEntry({ flag: '2' }))).toBe('LAYER_PATH_INVALID')
    const long = rawPax([['linkpath', 'x'.repeat(4097)]])
    expect(verdict(long, rawEntry({ flag: '2' }))).toBe('LAYER_PATH_INVALID')
  })

  it('cleans the target of a hard link, and refuses one outside, itself or the root', () => {
    expect(layer(rawEntry({ flag: '1', linkname: '/usr/bin/x' }))[0]?.linkname).toBe('usr/bin/x')
    for (const linkname of ['../victim', '/../victim', 'a/../../x', '', '.', '/', './file']) {
      expect(verdict(rawEntry({ flag: '1', linkname })), linkname).toBe('LAYER_PATH_INVALID')
    }
  })
})

describe('layerEntry: whiteouts', () => {
  it('reads whiteouts and opaque marks, of the root too', () => {
    const entries = layer(
      rawEntry({ name: 'a/.wh.b' }),
      rawEntry({ name: '.wh.c' }),
      rawEntry({ name: 'd/.wh..wh..opq' }),
      rawEntry({ name: '.wh..wh..opq' }),
      rawEntry({ name: 'e/.wh.f', flag: '1', linkname: 'a/.wh.b' }),
    )
    expect(entries.map(({ type, path }) => [type, path])).toEqual([
      ['whiteout', 'a/b'],
      ['whiteout', 'c'],
      ['opaque', 'd'],
      ['opaque', '.'],
      ['whiteout', 'e/f'],
    ])
  })

  it.each([
    '.wh.',
    '.wh..',
    '.wh...',
    '.wh..wh.',
    'a/.wh.',
    'a/.wh..',
    'a/.wh...',
    '.wh..wh.other',
    'a/.wh..wh.plnk',
    '.wh.a/b',
    'x/.wh.a/b/c',
  ])('refuses %j', (name) => {
    expect(verdict(rawEntry({ name }))).toBe('LAYER_ENTRY_INVALID')
    expect(verdict(rawPax([['path', name]]), rawEntry({}))).toBe('LAYER_ENTRY_INVALID')
  })

  it.each(['2', '3', '4', '5', '6'])('refuses a whiteout of type %s', (flag) => {
    for (const name of ['.wh.a', 'd/.wh..wh..opq']) {
      expect(verdict(rawEntry({ name, flag, linkname: 'x' }))).toBe('LAYER_ENTRY_INVALID')
    }
    expect(verdict(rawEntry({ name: '.wh.a', flag: '1', linkname: 'x' }))).toBe(
      'LAYER_ENTRY_INVALID',
    )
  })

  it('passes AUFS metadata over', () => {
    expect(
      layer(
        rawEntry({ name: '.wh..wh.plnk', flag: '5' }),
        rawEntry({ name: '.wh..wh.plnk/1.2' }),
        rawEntry({ name: './.wh..wh.aufs' }),
        rawEntry({ name: '.wh..wh.orph/', flag: '5' }),
      ),
    ).toEqual([])
  })
})

describe('layerEntry: devices and ids', () => {
  const device = (flag: string, devMajor: number | Uint8Array, devMinor: number | Uint8Array) =>
    verdict(rawEntry({ flag, devMajor, devMinor, dialect: 'gnu' }))

  it('refuses 0:0 and what would become it', () => {
    expect(device('3', 0, 0)).toBe('LAYER_ENTRY_INVALID')
    expect(device('3', 4096, 0)).toBe('LAYER_ENTRY_INVALID')
    expect(device('3', base256(2n ** 32n, 8), base256(2n ** 32n, 8))).toBe('LAYER_ENTRY_INVALID')
    expect(device('4', base256(-1n, 8), 0)).toBe('LAYER_ENTRY_INVALID')
    expect(device('4', 8, 2 ** 20)).toBe('LAYER_ENTRY_INVALID')
    expect(device('3', 1, 3)).toBeUndefined()
    expect(device('4', 8, 0)).toBeUndefined()
    expect(verdict(rawEntry({ flag: '3', dialect: 'v7' }))).toBe('LAYER_ENTRY_INVALID')
  })

  it.each([-1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 55n])('refuses the id %s', (id) => {
    expect(verdict(rawEntry({ uid: base256(id, 8) }))).toBe('LAYER_ENTRY_INVALID')
    expect(verdict(rawEntry({ gid: base256(id, 8) }))).toBe('LAYER_ENTRY_INVALID')
  })

  it('accepts ids up to 2^32 - 2', () => {
    expect(layer(rawPax([['uid', '4294967294']]), rawEntry({}))[0]?.uid).toBe(4_294_967_294)
    expect(verdict(rawPax([['gid', '4294967295']]), rawEntry({}))).toBe('LAYER_ENTRY_INVALID')
  })
})
