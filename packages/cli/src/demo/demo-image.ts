import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { tarBytes } from '@katman/layer'
import {
  type Descriptor,
  type Digest,
  mediaTypes,
  parseDigest,
  type Platform,
  type Reference,
} from '@katman/oci'
import { copyContent, type MemoryPlace, openMemoryPlace } from '@katman/transfer'
import type { Context } from '../context.ts'

/** The time in the demo image: always the same, so that its digests are. */
const made = new Date('2026-01-01T00:00:00Z')
const platforms: readonly Platform[] = [
  { os: 'linux', architecture: 'amd64' },
  { os: 'linux', architecture: 'arm64' },
]

interface DemoLayer {
  readonly descriptor: Descriptor
  readonly diffID: Digest
}

/**
 * Makes a small image for two platforms in memory and pushes it: a base layer both versions share, and one
 * that differs, replaces a file of the base and deletes another.
 */
export async function pushDemoImage(
  context: Context,
  reference: Reference,
  release: number,
): Promise<Descriptor> {
  const place = openMemoryPlace('demo image')
  const base = addLayer(place, {
    'etc/motd': 'A base layer.\n',
    'etc/demo.conf': `${'option = value\n'.repeat(400)}`,
    'usr/share/words': Array.from({ length: 20_000 }, (_, word) => `word-${word}\n`).join(''),
  })
  const manifests: Descriptor[] = []
  for (const platform of platforms) {
    const own = addLayer(place, {
      'app/release': `release ${release} for ${platform.architecture}\n`,
      'etc/motd': `Release ${release}.\n`,
      'etc/.wh.demo.conf': '',
    })
    manifests.push({ ...addImage(place, platform, [base, own], release), platform })
  }
  const index = place.add(
    mediaTypes.ociIndex,
    encode({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests,
    }),
  )
  await using remote = await context.openRemote()
  const repository = remote.repository(reference)
  await copyContent(place, repository, index, { signal: context.signal })
  await repository.tag(reference.tag ?? 'latest', index, { signal: context.signal })
  return index
}

function addImage(
  place: MemoryPlace,
  platform: Platform,
  layers: readonly DemoLayer[],
  release: number,
): Descriptor {
  const created = made.toISOString()
  const config = place.add(
    mediaTypes.ociConfig,
    encode({
      created,
      architecture: platform.architecture,
      os: platform.os,
      config: {
        Env: ['PATH=/usr/bin:/bin', `RELEASE=${release}`],
        Cmd: ['/app/run'],
        Labels: { 'org.opencontainers.image.title': 'Katman demo' },
      },
      rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffID) },
      history: [
        { created, created_by: 'COPY base/ /' },
        { created, created_by: `ENV RELEASE=${release}`, empty_layer: true },
        { created, created_by: 'COPY app/ /app/' },
        { created, created_by: 'CMD ["/app/run"]', empty_layer: true },
      ],
    }),
  )
  return place.add(
    mediaTypes.ociManifest,
    encode({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config,
      layers: layers.map((layer) => layer.descriptor),
    }),
  )
}

function addLayer(place: MemoryPlace, files: Readonly<Record<string, string>>): DemoLayer {
  const mtime = made.getTime() / 1000
  const tar = tarBytes(Object.entries(files).map(([name, content]) => ({ name, content, mtime })))
  const diffID = parseDigest(`sha256:${createHash('sha256').update(tar).digest('hex')}`)
  return { descriptor: place.add(mediaTypes.ociLayerGzip, gzipSync(tar)), diffID }
}

function encode(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value))
}
