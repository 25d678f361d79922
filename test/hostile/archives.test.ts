import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { openArchive, openImport } from '@katman/archive'
import { tarBytes, type TarInput } from '@katman/layer'
import { mediaTypes } from '@katman/oci'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { openProgram, type TestProgram } from '../program/run-in-process.ts'

// Archives made to deceive, through every command that reads one: each ends with a coded error, nothing is visible,
// nothing is left in the store nor in the folder of temporary files.

let katman: TestProgram
beforeEach(async () => {
  katman = await openProgram()
  await mkdir(file('tmp'))
  vi.stubEnv('TMPDIR', file('tmp'))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await katman[Symbol.asyncDispose]()
})

const file = (name: string): string => path.join(katman.folder, name)
const digestOf = (bytes: Uint8Array | string): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`
const blob = (bytes: Uint8Array | string): TarInput => ({
  name: `blobs/sha256/${digestOf(bytes).slice(7)}`,
  content: bytes,
})

interface Draft {
  readonly layer: Uint8Array
  /** Default: that of the layer. */
  readonly diffID?: string
  readonly layerDigest?: string
  readonly layerSize?: number
  readonly configSize?: number
}

const plainLayer = tarBytes([{ name: 'etc/hello', content: 'hello\n' }])
const oddLayer = (...entries: readonly TarInput[]): Draft => ({ layer: tarBytes(entries) })

/** An OCI layout, as its entries. */
function oci(draft: Draft = { layer: plainLayer }): readonly TarInput[] {
  const { layer, diffID = digestOf(layer) } = draft
  const config = JSON.stringify({
    os: 'linux',
    architecture: 'amd64',
    rootfs: { type: 'layers', diff_ids: [diffID] },
  })
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: {
      mediaType: mediaTypes.ociConfig,
      digest: digestOf(config),
      size: draft.configSize ?? Buffer.byteLength(config),
    },
    layers: [
      {
        mediaType: mediaTypes.ociLayer,
        digest: draft.layerDigest ?? digestOf(layer),
        size: draft.layerSize ?? layer.byteLength,
      },
    ],
  })
  const entry = {
    mediaType: mediaTypes.ociManifest,
    digest: digestOf(manifest),
    size: Buffer.byteLength(manifest),
    annotations: { 'org.opencontainers.image.ref.name': 'evil:1' },
  }
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [entry] }
  return [
    { name: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
    { name: 'index.json', content: JSON.stringify(index) },
    blob(config),
    blob(manifest),
    blob(layer),
  ]
}

/** What docker saved before version 25, as its entries. */
function docker({ layer, diffID = digestOf(layer) }: Draft = { layer: plainLayer }): TarInput[] {
  const config = JSON.stringify({
    os: 'linux',
    architecture: 'amd64',
    rootfs: { type: 'layers', diff_ids: [diffID] },
  })
  const item = { Config: 'c.json', RepoTags: ['evil:1'], Layers: ['l/layer.tar'] }
  return [
    { name: 'c.json', content: config },
    { name: 'l/layer.tar', content: layer },
    { name: 'manifest.json', content: JSON.stringify([item]) },
  ]
}

const without = (entries: readonly TarInput[], name: string | RegExp): readonly TarInput[] =>
  entries.filter((entry) => !(name instanceof RegExp ? name.test(entry.name) : entry.name === name))
const replaced = (entries: readonly TarInput[], name: string, change: Partial<TarInput>) =>
  entries.map((entry) => (entry.name === name ? { ...entry, ...change } : entry))

const chain = Array.from({ length: 12 }, (_, at): TarInput => ({
  name: `s${at}`,
  type: 'symlink',
  linkname: at === 11 ? 'l/layer.tar' : `s${at + 1}`,
}))
const manyItems = (count: number): string =>
  `[${'{"Config":"c.json","Layers":[]},'.repeat(count)}{}]`
const hugePax = (): Uint8Array => {
  const value = 'x'.repeat(2 * 1024 * 1024)
  const record = `${value.length + 18} comment=${value}\n`
  const [header] = [tarBytes([{ name: 'PaxHeader', content: record }])]
  const bytes = Buffer.from(header)
  bytes.write('x', 156, 'latin1')
  return rechecked(bytes)
}
/** Writes the checksum of the first header again. */
function rechecked(bytes: Buffer): Buffer {
  bytes.write('        ', 148, 'latin1')
  let sum = 0
  for (const byte of bytes.subarray(0, 512)) sum += byte
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return bytes
}
/** An archive whose first header says another size than its content has. */
const lyingSize = (size: string): Uint8Array => {
  const bytes = Buffer.from(tarBytes(docker()))
  bytes.write(size.padStart(11, '0'), 124, 'latin1')
  return rechecked(bytes)
}

type Bytes = () => Uint8Array

/** What every reader of images must refuse, with the code of the error. */
const archives: readonly (readonly [string, string, Bytes])[] = [
  ['no tar', 'ARCHIVE_INVALID', () => Buffer.from('garbage'.repeat(300))],
  ['an empty file', 'ARCHIVE_INVALID', () => Buffer.alloc(0)],
  ['only zeros', 'ARCHIVE_INVALID', () => Buffer.alloc(10_240)],
  ['a path above it', 'ARCHIVE_INVALID', () => tarBytes([...docker(), { name: '../../x' }])],
  ['.. in a path', 'ARCHIVE_INVALID', () => tarBytes([...docker(), { name: 'a/../../x' }])],
  ['an absolute path with ..', 'ARCHIVE_INVALID', () => tarBytes([...docker(), { name: '/../x' }])],
  [
    'a layer that is a link to a file of the host',
    'ARCHIVE_INVALID',
    () => tarBytes(replaced(docker(), 'l/layer.tar', { type: 'symlink', linkname: '/etc/passwd' })),
  ],
  [
    'a layer that is a link above the archive',
    'ARCHIVE_INVALID',
    () =>
      tarBytes(
        replaced(docker(), 'l/layer.tar', { type: 'symlink', linkname: '../../../etc/passwd' }),
      ),
  ],
  [
    'a config that is a hard link to nothing',
    'ARCHIVE_INVALID',
    () => tarBytes(replaced(docker(), 'c.json', { type: 'hardlink', linkname: 'nope' })),
  ],
  [
    'a long chain of links',
    'ARCHIVE_INVALID',
    () => {
      const items = [{ Config: 'c.json', RepoTags: ['evil:1'], Layers: ['s0'] }]
      const named = replaced(docker(), 'manifest.json', { content: JSON.stringify(items) })
      return tarBytes([...named, ...chain])
    },
  ],
  [
    'links in a circle',
    'ARCHIVE_INVALID',
    () =>
      tarBytes([
        ...replaced(docker(), 'l/layer.tar', { type: 'symlink', linkname: 'other' }),
        { name: 'l/other', type: 'symlink', linkname: 'layer.tar' },
      ]),
  ],
  [
    'a layer named above the archive',
    'ARCHIVE_INVALID',
    () => {
      const items = [{ Config: 'c.json', RepoTags: null, Layers: ['../../../../etc/passwd'] }]
      return tarBytes(replaced(docker(), 'manifest.json', { content: JSON.stringify(items) }))
    },
  ],
  ['a size beyond its end', 'ARCHIVE_INVALID', () => lyingSize('7777777777')],
  ['a size that is too small', 'JSON_INVALID', () => lyingSize('1')],
  ['a size that is no number', 'ARCHIVE_INVALID', () => lyingSize('9x')],
  ['two files of one name', 'ARCHIVE_INVALID', () => tarBytes([...docker(), ...docker()])],
  [
    'a file and a link of one name',
    'ARCHIVE_INVALID',
    () => tarBytes([...docker(), { name: './c.json', type: 'symlink', linkname: 'manifest.json' }]),
  ],
  ['an extended header of 2 MiB', 'ARCHIVE_INVALID', hugePax],
  [
    'a million images',
    'ARCHIVE_INVALID',
    () => tarBytes(replaced(docker(), 'manifest.json', { content: manyItems(1_000_000) })),
  ],
  [
    'a hundred thousand images in 4 MiB',
    'ARCHIVE_INVALID',
    () => tarBytes(replaced(docker(), 'manifest.json', { content: manyItems(100_000) })),
  ],
  ['no config', 'ARCHIVE_INVALID', () => tarBytes(without(docker(), 'c.json'))],
  ['no layer', 'ARCHIVE_INVALID', () => tarBytes(without(docker(), 'l/layer.tar'))],
  ['no manifest.json', 'ARCHIVE_INVALID', () => tarBytes(without(docker(), 'manifest.json'))],
  ['no index.json', 'ARCHIVE_INVALID', () => tarBytes(without(oci(), 'index.json'))],
  ['no blobs', 'BLOB_UNKNOWN', () => tarBytes(without(oci(), /^blobs/))],
  [
    'a layer that is not there',
    'BLOB_UNKNOWN',
    () => tarBytes(oci({ layer: plainLayer, layerDigest: digestOf('absent') })),
  ],
  [
    'a blob under the wrong digest',
    'DIGEST_MISMATCH',
    () => {
      const evil = Buffer.from(plainLayer)
      evil[1100] = 1
      return tarBytes(replaced(oci(), blob(plainLayer).name, { content: evil }))
    },
  ],
  [
    'a blob that is larger than it says',
    'SIZE_MISMATCH',
    () => tarBytes(oci({ layer: plainLayer, layerSize: 1000 })),
  ],
  [
    'a blob that is smaller than it says',
    'SIZE_MISMATCH',
    () => tarBytes(oci({ layer: plainLayer, layerSize: 1_000_000 })),
  ],
  [
    'a config that is larger than it says',
    'SIZE_MISMATCH',
    () => tarBytes(oci({ layer: plainLayer, configSize: 10 })),
  ],
  [
    'another diffID, docker',
    'LAYER_CONTENT_MISMATCH',
    () => tarBytes(docker({ layer: plainLayer, diffID: digestOf('other') })),
  ],
  [
    'another diffID, OCI',
    'LAYER_CONTENT_MISMATCH',
    () => tarBytes(oci({ layer: plainLayer, diffID: digestOf('other') })),
  ],
  [
    'a layer whose path leaves the root',
    'LAYER_PATH_INVALID',
    () => tarBytes(oci(oddLayer({ name: '../evil' }))),
  ],
  [
    'a layer whose root is a link',
    'LAYER_ENTRY_INVALID',
    () => tarBytes(oci(oddLayer({ name: './', type: 'symlink', linkname: '/' }))),
  ],
  [
    'a layer that is cut',
    'TAR_TRUNCATED',
    () => tarBytes(oci({ layer: plainLayer.subarray(0, 600) })),
  ],
  [
    'an archive in an archive',
    'ARCHIVE_INVALID',
    () => tarBytes([{ name: 'a.tar', content: tarBytes(docker()) }]),
  ],
  [
    'an archive in a folder',
    'ARCHIVE_INVALID',
    () => tarBytes(docker().map((one) => ({ ...one, name: `d/${one.name}` }))),
  ],
  ['gzip in gzip', 'ARCHIVE_INVALID', () => gzipSync(gzipSync(tarBytes(docker())))],
  ['gzip that is cut', 'ARCHIVE_INVALID', () => gzipSync(tarBytes(docker())).subarray(0, -9)],
  [
    'zstd that is cut',
    'ARCHIVE_INVALID',
    () => zstdCompressSync(tarBytes(docker())).subarray(0, -9),
  ],
  [
    'junk behind gzip',
    'ARCHIVE_INVALID',
    () => Buffer.concat([gzipSync(tarBytes(docker())), Buffer.from('junk')]),
  ],
  [
    'an index that contains itself in names only',
    'MANIFEST_INVALID',
    () =>
      tarBytes(
        replaced(oci(), 'index.json', {
          content: '{"schemaVersion":2,"manifests":[],"layers":[]}',
        }),
      ),
  ],
  [
    'JSON with two equal keys',
    'JSON_INVALID',
    () =>
      tarBytes(
        replaced(oci(), 'index.json', {
          content: '{"schemaVersion":2,"schemaVersion":2,"manifests":[]}',
        }),
      ),
  ],
]

describe.each(archives)('an archive of %s', (_, code, make) => {
  it.each([
    ['load', ['load', '-i', 'FILE']],
    ['cp oci-archive:', ['cp', 'oci-archive:FILE', 'store:evil:1']],
    ['cp docker-archive:', ['cp', 'docker-archive:FILE', 'store:evil:1']],
  ])('is refused by %s and leaves nothing', async (__, words) => {
    const bytes = Buffer.from(make())
    await writeFile(file('evil.tar'), bytes)
    // cp also refuses an archive that is not of the kind that was typed.
    const other = bytes.includes('oci-layout') ? 'docker-archive:' : 'oci-archive:'
    const isOther = words.some((word) => word.startsWith(other))
    const codes = isOther ? [code, 'PLACE_INVALID'] : [code]
    expect(codes).toContain(await refusal(words))
    await expectNothingLeft()
  })
})

/** What import must refuse: here the archive is the layer. */
const layers: readonly (readonly [string, string, Bytes])[] = [
  ['no tar', 'TAR_INVALID', () => Buffer.from('garbage'.repeat(300))],
  ['a path above it', 'LAYER_PATH_INVALID', () => tarBytes([{ name: '../../x' }])],
  [
    'a hard link above it',
    'LAYER_PATH_INVALID',
    () => tarBytes([{ name: 'x', type: 'hardlink', linkname: '../y' }]),
  ],
  [
    'a root that is a link',
    'LAYER_ENTRY_INVALID',
    () => tarBytes([{ name: '/', type: 'symlink', linkname: '/' }]),
  ],
  [
    'an overlay whiteout',
    'LAYER_ENTRY_INVALID',
    () => tarBytes([{ name: 'x', type: 'character' }]),
  ],
  ['a size beyond its end', 'TAR_TRUNCATED', () => lyingSize('7777777777')],
  ['an extended header of 2 MiB', 'TAR_LIMIT', hugePax],
  ['an end in a header', 'TAR_TRUNCATED', () => plainLayer.subarray(0, 300)],
  ['an end in a file', 'TAR_TRUNCATED', () => plainLayer.subarray(0, 515)],
  ['gzip in gzip', 'TAR_TRUNCATED', () => gzipSync(gzipSync(plainLayer))],
  ['gzip that is cut', 'LAYER_COMPRESSION_INVALID', () => gzipSync(plainLayer).subarray(0, -9)],
]

describe.each(layers)('files of %s', (_, code, make) => {
  it('are refused by import and leave nothing', async () => {
    await writeFile(file('evil.tar'), make())
    expect(await refusal(['import', 'FILE', 'evil:1'])).toBe(code)
    await expectNothingLeft()
  })
})

describe('an archive cut at any boundary', () => {
  it.each([
    ['docker', docker],
    ['OCI', oci],
  ])('is refused: %s', async (_, make) => {
    const bytes = tarBytes(make())
    const plain = bytes.byteLength - 1024
    for (let length = 0; length < plain; length += 256) {
      await writeFile(file('evil.tar'), bytes.subarray(0, length))
      expect(await refusal(['load', '-i', 'FILE']), String(length)).toMatch(
        /^(ARCHIVE_INVALID|BLOB_UNKNOWN)$/,
      )
    }
    await expectNothingLeft()
  })
})

describe('a folder', () => {
  const layout = async (entries: readonly TarInput[] = oci()): Promise<void> => {
    await mkdir(file('evil.tar/blobs/sha256'), { recursive: true })
    for (const { name, content = '' } of entries) await writeFile(file(`evil.tar/${name}`), content)
  }
  const load = ['load', '-i', 'FILE'] as const

  it('is loaded when it is an OCI layout, so what follows is refused for its fault', async () => {
    await layout()
    expect(await katman.run('load', '-i', file('evil.tar'))).toMatchObject({
      exitCode: 0,
      stdout: 'Loaded image: evil:1\n',
    })
  })

  it.each<[string, string, () => Promise<void>]>([
    [
      'with a blob that is a link',
      'LAYOUT_INVALID',
      async () => {
        const { name } = blob(plainLayer)
        await rm(file(`evil.tar/${name}`))
        await writeFile(file('outside'), plainLayer)
        await symlink(file('outside'), file(`evil.tar/${name}`))
      },
    ],
    [
      'with a blob that is a link to nothing',
      'LAYOUT_INVALID',
      async () => {
        const { name } = blob(plainLayer)
        await rm(file(`evil.tar/${name}`))
        await symlink(file('nothing'), file(`evil.tar/${name}`))
      },
    ],
    [
      'with a wrong blob',
      'DIGEST_MISMATCH',
      () => writeFile(file(`evil.tar/${blob(plainLayer).name}`), Buffer.alloc(plainLayer.length)),
    ],
    ['without a blob', 'BLOB_UNKNOWN', () => rm(file(`evil.tar/${blob(plainLayer).name}`))],
    ['without its index', 'LAYOUT_INVALID', () => rm(file('evil.tar/index.json'))],
    [
      'of another version',
      'LAYOUT_INVALID',
      () => writeFile(file('evil.tar/oci-layout'), '{"imageLayoutVersion":"9"}'),
    ],
    [
      'with a pipe for its marker',
      'LAYOUT_INVALID',
      async () => {
        await rm(file('evil.tar/oci-layout'))
        execFileSync('/usr/bin/mkfifo', [file('evil.tar/oci-layout')])
      },
    ],
    [
      'with a pipe for its index',
      'LAYOUT_INVALID',
      async () => {
        await rm(file('evil.tar/index.json'))
        execFileSync('/usr/bin/mkfifo', [file('evil.tar/index.json')])
      },
    ],
  ])('%s is refused and leaves nothing', async (_, code, spoil) => {
    await layout()
    await spoil()
    expect(await refusal(load)).toBe(code)
    await expectNothingLeft()
  })
})

describe('a bomb', () => {
  const zeros = (): Uint8Array => Buffer.alloc(64 * 1024 * 1024)
  const bombs: readonly (readonly [string, () => Uint8Array])[] = [
    ['gzip', () => gzipSync(zeros())],
    ['zstd', () => zstdCompressSync(zeros())],
    ...['xz', 'bzip2'].map((program): readonly [string, () => Uint8Array] => [
      program,
      () => execFileSync(program, ['-c'], { input: zeros(), maxBuffer: 2 ** 24 }),
    ]),
  ]
  it.each(bombs.filter(([name]) => !/xz|bzip2/.test(name) || existsSync(`/usr/bin/${name}`)))(
    'of %s is stopped where its limit is, and leaves nothing',
    async (_, make) => {
      const bytes = make()
      const limits = { temporary: katman.folder, maxUnpackedBytes: () => 8 * 1024 * 1024 }
      const source = async function* () {
        yield bytes
      }
      const image = {
        platform: { os: 'linux', architecture: 'amd64' },
        created: '2026-01-01T00:00:00Z',
        config: {},
        history: [],
      }
      await expect(openArchive(source(), limits)).rejects.toMatchObject({ code: 'LAYER_TOO_LARGE' })
      await expect(openImport(source(), { ...limits, image })).rejects.toMatchObject({
        code: 'LAYER_TOO_LARGE',
      })
      expect((await readdir(katman.folder)).filter((name) => name.includes('katman-'))).toEqual([])
    },
  )
})

/** The code of the error that ends a command. */
async function refusal(words: readonly string[]): Promise<string | undefined> {
  const typed = words.map((word) => word.replace('FILE', file('evil.tar')))
  const { exitCode, stdout, stderr } = await katman.run('--debug', ...typed)
  expect({ exitCode, stdout }, stderr).toEqual({ exitCode: 1, stdout: '' })
  expect(stderr).not.toContain('TypeError')
  return /^caused by \[([A-Z_]+)\]/m.exec(stderr)?.[1]
}

async function expectNothingLeft(): Promise<void> {
  expect(await katman.run('images', '-aq')).toMatchObject({ exitCode: 0, stdout: '' })
  expect(await katman.run('gc', '--min-age', '0s')).toMatchObject({ exitCode: 0 })
  expect((await katman.run('fsck', '--hash')).stdout).toMatch(/clean\n$/)
  // A part of a blob is kept for a day, because the next try may go on with it; nothing can be seen of it.
  for (const folder of ['blobs/sha256', 'images', 'refs', 'layers', 'tmp', 'trash', 'leases']) {
    expect(await readdir(file(`store/${folder}`)).catch(() => []), folder).toEqual([])
  }
  expect(await readdir(file('tmp'))).toEqual([])
}
