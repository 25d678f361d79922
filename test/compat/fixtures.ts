import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { crc32 } from 'node:zlib'

import { REAL_IMAGES } from '../peers/skopeo.ts'

/** One name in the comparison's registry. */
export interface CatalogEntry {
  readonly repository: string
  readonly tag: string
  readonly mediaType: string
  readonly digest: string
}

/** What the comparison's registry holds: names, and content by digest. */
export interface Catalog {
  readonly entries: readonly CatalogEntry[]
  /** The bytes of a blob or manifest, or undefined. */
  read(digest: string): Buffer | undefined
}

interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
  readonly platform?: unknown
  readonly annotations?: Readonly<Record<string, string>>
}

interface Manifest {
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
}

interface Index {
  readonly manifests: readonly (Descriptor & {
    readonly platform?: { readonly architecture: string; readonly variant?: string }
  })[]
}

const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
const OCI_INDEX = 'application/vnd.oci.image.index.v1+json'
const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json'
const OCI_LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip'
const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json'
const DOCKER_CONFIG = 'application/vnd.docker.container.image.v1+json'
const DOCKER_LAYER = 'application/vnd.docker.image.rootfs.diff.tar.gzip'

/**
 * The real images of a layout folder under `library/`, and hand-made ones under `team/` that show labels,
 * history, shared layers and Docker's older media types. Same input, same digests.
 */
export function createCatalog(layout: string): Catalog {
  const made = new Map<string, Buffer>()
  const entries: CatalogEntry[] = []
  const read = (digest: string): Buffer | undefined => made.get(digest) ?? readBlob(layout, digest)

  const put = (mediaType: string, bytes: Buffer): Descriptor => {
    const digest = sha256(bytes)
    made.set(digest, bytes)
    return { mediaType, digest, size: bytes.length }
  }
  const putJson = (mediaType: string, value: unknown): Descriptor =>
    put(mediaType, Buffer.from(JSON.stringify(value)))
  const name = (repository: string, tag: string, descriptor: Descriptor): void => {
    entries.push({ repository, tag, mediaType: descriptor.mediaType, digest: descriptor.digest })
  }

  const index = parseJson<Index>(readFileSync(path.join(layout, 'index.json')))
  const real = new Map<string, Descriptor>()
  for (const descriptor of index.manifests) {
    const word = descriptor.annotations?.['org.opencontainers.image.ref.name'] ?? ''
    real.set(word, descriptor)
  }
  for (const word of REAL_IMAGES) {
    const descriptor = real.get(word)
    if (descriptor === undefined) throw new Error(`${layout} has no image ${word}`)
    const [repository = '', tag = ''] = word.split(':')
    name(`library/${repository}`, tag, descriptor)
  }

  const alpineIndex = parseJson<Index>(read(real.get('alpine:3.20')?.digest ?? ''))
  const alpine = alpineIndex.manifests.find((child) => child.platform?.architecture === 'amd64')
  const base = parseJson<Manifest>(read(alpine?.digest ?? ''))
  const baseConfig = parseJson<{
    config: { Env: string[] }
    rootfs: { diff_ids: string[] }
    history: unknown[]
  }>(read(base.config.digest))

  // team/app: one base, one shared layer, one of its own; every kind of configuration value.
  const tarOne = tar([['app/one.txt', Buffer.alloc(12_345, 'one\n')]])
  const tarTwo = tar([['app/two.txt', Buffer.alloc(1_500_000, 'two\n')]])
  const layerOne = put(OCI_LAYER, storedGzip(tarOne))
  const layerTwo = put(OCI_LAYER, storedGzip(tarTwo))
  const longCommand =
    '/bin/sh -c set -eux;\tapk add --no-cache ca-certificates tzdata; echo "<done> & gone" # a long line'
  const app = (version: string, created: string, withTwo: boolean): Descriptor => {
    const config = putJson(OCI_CONFIG, {
      created,
      author: 'Team <team@example.org>',
      architecture: 'amd64',
      os: 'linux',
      config: {
        User: '1000:1000',
        ExposedPorts: { '8080/tcp': {}, '53/udp': {} },
        Env: [...baseConfig.config.Env, `APP_VERSION=${version}`, 'EMPTY='],
        Entrypoint: ['/app/run', '--flag'],
        Cmd: ['serve'],
        Volumes: { '/data': {} },
        WorkingDir: '/app',
        Labels: {
          'org.opencontainers.image.title': 'app',
          'org.opencontainers.image.version': version,
          maintainer: 'team',
        },
        StopSignal: 'SIGQUIT',
        Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 30_000_000_000, Retries: 3 },
      },
      rootfs: {
        type: 'layers',
        diff_ids: [
          ...baseConfig.rootfs.diff_ids,
          sha256(tarOne),
          ...(withTwo ? [sha256(tarTwo)] : []),
        ],
      },
      history: [
        ...baseConfig.history,
        { created: '2024-05-01T10:00:00Z', created_by: 'ARG VERSION', empty_layer: true },
        { created: '2024-05-01T10:00:01Z', created_by: longCommand, comment: 'first step' },
        ...(withTwo
          ? [{ created: '2024-06-30T23:59:59Z', created_by: 'COPY two.txt /app/ # buildkit' }]
          : []),
        { created, created_by: 'CMD ["serve"]', empty_layer: true },
      ],
    })
    return putJson(OCI_MANIFEST, {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config,
      layers: [...base.layers, layerOne, ...(withTwo ? [layerTwo] : [])],
    })
  }
  const appTwo = app('2.0', '2024-07-01T00:00:00.123456789Z', true)
  name('team/app', '1', app('1.0', '2024-06-01T12:30:00Z', false))
  name('team/app', '2', appTwo)
  name('team/app', 'latest', appTwo)

  // team/legacy: Docker's own media types, no history, no labels.
  const legacyTar = tar([['legacy', Buffer.from('legacy\n')]])
  const legacyLayer = put(DOCKER_LAYER, storedGzip(legacyTar))
  const legacyConfig = putJson(DOCKER_CONFIG, {
    architecture: 'amd64',
    os: 'linux',
    created: '2020-02-02T02:02:02Z',
    docker_version: '19.03.5',
    config: { Cmd: ['/legacy'], Labels: null },
    rootfs: { type: 'layers', diff_ids: [sha256(legacyTar)] },
  })
  name(
    'team/legacy',
    '1.0',
    putJson(DOCKER_MANIFEST, {
      schemaVersion: 2,
      mediaType: DOCKER_MANIFEST,
      config: legacyConfig,
      layers: [legacyLayer],
    }),
  )

  // team/foreign: an index without anything for linux/amd64.
  const foreign = alpineIndex.manifests.filter(
    (child) => child.platform?.architecture === 'arm64' || child.platform?.architecture === 's390x',
  )
  name(
    'team/foreign',
    '1',
    putJson(OCI_INDEX, { schemaVersion: 2, mediaType: OCI_INDEX, manifests: foreign }),
  )
  return { entries, read }
}

/** Every manifest below a name, children first, so that a registry accepts each when it comes. */
export function listManifests(
  catalog: Catalog,
  entry: CatalogEntry,
): readonly { readonly mediaType: string; readonly digest: string; readonly blobs: string[] }[] {
  const document = parseJson<Partial<Manifest & Index>>(catalog.read(entry.digest))
  if (document.manifests !== undefined) {
    const children = document.manifests.flatMap((child) =>
      listManifests(catalog, { ...entry, mediaType: child.mediaType, digest: child.digest }),
    )
    return [...children, { mediaType: entry.mediaType, digest: entry.digest, blobs: [] }]
  }
  const blobs = [document.config, ...(document.layers ?? [])].flatMap((blob) => blob?.digest ?? [])
  return [{ mediaType: entry.mediaType, digest: entry.digest, blobs }]
}

function readBlob(layout: string, digest: string): Buffer | undefined {
  const [algorithm = '', hex = ''] = digest.split(':')
  try {
    return readFileSync(path.join(layout, 'blobs', algorithm, hex))
  } catch {
    return undefined
  }
}

function parseJson<T>(bytes: Buffer | undefined): T {
  if (bytes === undefined) throw new Error('a document of the test images is missing')
  return JSON.parse(bytes.toString('utf8')) as T
}

function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

/** A ustar archive of plain files, all owned by root, all of one fixed time. */
function tar(files: readonly (readonly [name: string, content: Buffer])[]): Buffer {
  const parts: Buffer[] = []
  for (const [name, content] of files) {
    const header = Buffer.alloc(512)
    header.write(name, 0)
    header.write('0000644\0', 100)
    header.write('0000000\0', 108)
    header.write('0000000\0', 116)
    header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124)
    header.write('14600000000\0', 136)
    header.write('        ', 148)
    header.write('0', 156)
    header.write('ustar\x0000', 257)
    const sum = header.reduce((total, byte) => total + byte, 0)
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
    parts.push(header, content, Buffer.alloc((512 - (content.length % 512)) % 512))
  }
  return Buffer.concat([...parts, Buffer.alloc(1024)])
}

/** gzip without compression, written by hand: the bytes, and so the digests, never depend on a zlib version. */
function storedGzip(content: Buffer): Buffer {
  const parts: Buffer[] = [Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])]
  for (let offset = 0; offset < content.length; offset += 65_535) {
    const piece = content.subarray(offset, offset + 65_535)
    const head = Buffer.alloc(5)
    head[0] = offset + piece.length === content.length ? 1 : 0
    head.writeUInt16LE(piece.length, 1)
    head.writeUInt16LE(0xffff - piece.length, 3)
    parts.push(head, piece)
  }
  const tail = Buffer.alloc(8)
  tail.writeUInt32LE(crc32(content), 0)
  tail.writeUInt32LE(content.length % 2 ** 32, 4)
  return Buffer.concat([...parts, tail])
}
