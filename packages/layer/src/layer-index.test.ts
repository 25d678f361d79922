import { describe, expect, it } from 'vitest'
import { parseDigest } from '@katman/oci'
import * as fc from 'fast-check'
import { rawEntry, rawPax, rawTar } from '../test/raw-tar.ts'
import { codeOf, codeOfPromise, collect, inChunks, sha256 } from '../test/read-tar.ts'
import { gzipped } from './gzipped.ts'
import { decodeLayerIndex, encodeLayerIndex } from './index-codec.ts'
import type { LayerEntry } from './layer-entry.ts'
import { indexLayer } from './layer-index.ts'
import { tarBytes } from './tar-writer.ts'

const archive = tarBytes([
  { name: './', type: 'directory', mode: 0o1777 },
  { name: 'bin', type: 'directory' },
  { name: 'bin/tool', content: 'tool', mode: 0o755, mtime: 1_700_000_000, mtimeNanos: 5 },
  { name: 'bin/alias', type: 'hardlink', linkname: 'bin/tool' },
  { name: 'empty' },
  { name: 'etc/.wh.old' },
  { name: 'cap', content: 'x', xattrs: new Map([['security.capability', Uint8Array.of(1, 0, 2)]]) },
  { name: 'dev/null', type: 'character', devMajor: 1, devMinor: 3 },
])

describe('indexLayer', () => {
  it('tells diffID, size and entries of a compressed layer', async () => {
    const index = await indexLayer(gzipped(inChunks(archive)), 'gzip')
    expect(index.diffID).toBe(`sha256:${sha256(archive)}`)
    expect(index.size).toBe(archive.length)
    expect(index.entries.map((entry) => `${entry.type} ${entry.path}`)).toEqual([
      'directory .',
      'directory bin',
      'file bin/tool',
      'hardlink bin/alias',
      'file empty',
      'whiteout etc/old',
      'file cap',
      'character dev/null',
    ])
    for (const entry of index.entries) {
      if (entry.path === 'bin/tool') {
        const content = archive.subarray(entry.offset, entry.offset + entry.size)
        expect(Buffer.from(content).toString()).toBe('tool')
      }
    }
  })

  it('hashes bytes behind the end without reading them', async () => {
    const bytes = Buffer.concat([archive, tarBytes([{ name: 'ghost' }]), Buffer.from('junk')])
    const index = await indexLayer(inChunks(bytes, 1000), 'none')
    expect(index.diffID).toBe(`sha256:${sha256(bytes)}`)
    expect(index.entries.map((entry) => entry.path)).not.toContain('ghost')
  })

  it('refuses another content than expected, in the hash that is asked for', async () => {
    const expectedDiffID = parseDigest(`sha256:${'0'.repeat(64)}`)
    const promise = indexLayer(inChunks(archive), 'none', { expectedDiffID })
    await expect(promise).rejects.toMatchObject({
      code: 'LAYER_CONTENT_MISMATCH',
      details: { expected: expectedDiffID, actual: `sha256:${sha256(archive)}` },
    })
    const other = parseDigest(`sha512:${'0'.repeat(128)}`)
    await expect(
      indexLayer(inChunks(archive), 'none', { expectedDiffID: other }),
    ).rejects.toMatchObject({ details: { actual: expect.stringMatching(/^sha512:/) } })
  })

  it('hashes files when asked, but no sparse ones', async () => {
    const sparse = rawTar(
      rawPax([
        ['GNU.sparse.size', '9007199254740991'],
        ['GNU.sparse.map', '0,5'],
      ]),
      rawEntry({ name: 's' }, 'hello'),
      rawEntry({ name: 'f' }, 'hello'),
    )
    const { entries } = await indexLayer(inChunks(sparse, 100), 'none', { hashFiles: true })
    expect(entries.map((entry) => entry.sha256)).toEqual([undefined, sha256('hello')])
    const all = await indexLayer(inChunks(archive, 100), 'none', { hashFiles: true })
    expect(all.entries.find((entry) => entry.path === 'empty')?.sha256).toBe(sha256(''))
    const plain = await indexLayer(inChunks(archive), 'none')
    expect(all.entries).toMatchObject(plain.entries)
  })

  it('passes limits on', async () => {
    const limited = indexLayer(inChunks(archive), 'none', { maxBytes: 1000 })
    expect(await codeOfPromise(limited)).toBe('LAYER_TOO_LARGE')
    expect(await codeOfPromise(indexLayer(inChunks(archive), 'none', { maxEntries: 3 }))).toBe(
      'TAR_LIMIT',
    )
  })
})

describe('encodeLayerIndex and decodeLayerIndex', () => {
  const diffID = parseDigest(`sha256:${'ab'.repeat(32)}`)
  const path = fc.oneof(
    fc.stringMatching(/^[a-z/é]{1,40}$/),
    fc.constantFrom('\udcff', 'a\udc80b', '__proto__'),
  )
  const entry: fc.Arbitrary<LayerEntry> = fc.record(
    {
      path,
      type: fc.constantFrom('file', 'directory', 'symlink', 'hardlink', 'whiteout', 'opaque'),
      mode: fc.nat(0o7777),
      uid: fc.nat(2 ** 32 - 2),
      gid: fc.nat(2 ** 32 - 2),
      size: fc.maxSafeNat(),
      mtime: fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }),
      offset: fc.nat(2 ** 31),
      mtimeNanos: fc.integer({ min: 1, max: 999_999_999 }),
      linkname: path,
      xattrs: fc
        .array(fc.tuple(path, fc.uint8Array({ maxLength: 300 })), { minLength: 1, maxLength: 3 })
        .map((pairs) => new Map(pairs)),
      sparse: fc.array(fc.maxSafeNat(), { maxLength: 6 }),
      sha256: fc
        .uint8Array({ minLength: 32, maxLength: 32 })
        .map((b) => Buffer.from(b).toString('hex')),
    },
    { requiredKeys: ['path', 'type', 'mode', 'uid', 'gid', 'size', 'mtime', 'offset'] },
  )

  it('are inverse', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 20 }), fc.maxSafeNat(), (entries, size) => {
        const index = { diffID, size, entries }
        expect(decodeLayerIndex(encodeLayerIndex(index))).toEqual(index)
      }),
    )
  })

  it('find every flipped bit and every cut', async () => {
    const bytes = encodeLayerIndex(await indexLayer(inChunks(archive), 'none'))
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Uint8Array.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8))
      expect(codeOf(() => decodeLayerIndex(changed))).toBe('LAYER_INDEX_INVALID')
      expect(codeOf(() => decodeLayerIndex(bytes.subarray(0, at)))).toBe('LAYER_INDEX_INVALID')
    }
    expect(codeOf(() => decodeLayerIndex(Buffer.concat([bytes, Buffer.of(0)])))).toBe(
      'LAYER_INDEX_INVALID',
    )
  })

  it('give coded errors only for what has a right checksum and wrong content', async () => {
    const bytes = encodeLayerIndex(await indexLayer(inChunks(archive), 'none'))
    fc.assert(
      fc.property(fc.nat(bytes.length - 33), fc.nat(255), (at, value) => {
        const body = Buffer.from(bytes.subarray(0, -32))
        body[at] = value
        const changed = Buffer.concat([body, Buffer.from(sha256(body), 'hex')])
        expect([undefined, 'LAYER_INDEX_INVALID']).toContain(
          codeOf(() => decodeLayerIndex(changed)),
        )
      }),
      { numRuns: 1000 },
    )
  })

  it('are small', () => {
    const entries = Array.from({ length: 10_000 }, (_, at): LayerEntry => {
      const file = `usr/share/doc/package-${at >> 4}/file-${at & 15}.txt`
      return {
        path: file,
        type: 'file',
        mode: 0o644,
        uid: 0,
        gid: 0,
        size: at,
        mtime: 1.7e9,
        offset: at * 1024,
      }
    })
    expect(encodeLayerIndex({ diffID, size: 1, entries }).length / entries.length).toBeLessThan(40)
  })
})

describe('tarBytes', () => {
  it('is what writeTar gives', async () => {
    const { writeTar } = await import('./tar-writer.ts')
    const inputs = [
      { name: 'a', content: 'x' },
      { name: 'd', type: 'directory' as const },
    ]
    expect(await collect(writeTar(inputs))).toEqual(tarBytes(inputs))
  })
})
