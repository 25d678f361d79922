import { createHash } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import {
  type Descriptor,
  type Digest,
  mediaTypes,
  parseDigest,
  parseReference,
  type Platform,
} from '@katman/oci'
import { type MemoryPlace, openMemoryPlace } from '@katman/transfer'
import { pullImage, type PullResult } from '../src/pull-image.ts'
import type { Store } from '../src/store.ts'

// What the tests of this package share: images made in memory, and folders that cost no disk.

const platform: Platform = { os: 'linux', architecture: 'amd64' }

/** A place with one image under the tag `latest`, of these layers (uncompressed tars). */
export async function openTestPlace(
  text: string,
  layers: readonly Uint8Array[] = [],
): Promise<MemoryPlace> {
  const place = openMemoryPlace('test registry')
  await place.tag('latest', addImage(place, text, layers))
  return place
}

/** Adds an image that differs from others by its text. */
export function addImage(
  place: MemoryPlace,
  text: string,
  layers: readonly Uint8Array[] = [],
): Descriptor {
  const config = place.add(
    mediaTypes.ociConfig,
    json({
      os: 'linux',
      architecture: 'amd64',
      config: { Labels: { text } },
      rootfs: { type: 'layers', diff_ids: layers.map(digestOf) },
    }),
  )
  return place.add(
    mediaTypes.ociManifest,
    json({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config,
      layers: layers.map((layer) => place.add(mediaTypes.ociLayer, layer)),
    }),
  )
}

/** Adds an artifact with one file that refers to something else. */
export function addReferrer(
  place: MemoryPlace,
  subject: Descriptor,
  text: string,
  artifactType = 'application/vnd.test.signature',
): Descriptor {
  return place.add(
    mediaTypes.ociManifest,
    json({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      artifactType,
      config: place.add(mediaTypes.ociEmpty, json({})),
      layers: [place.add('text/plain', Buffer.from(text))],
      subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.size },
      annotations: { text },
    }),
  )
}

export async function pullTestImage(
  store: Store,
  place: MemoryPlace,
  name: string,
): Promise<PullResult> {
  return pullImage(store, place, parseReference(name), { platform })
}

export function digestOf(bytes: Uint8Array): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
}

function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value))
}

/** A new folder, in memory where the machine has such. */
export function makeTestFolder(): string {
  const parent = fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir()
  return fs.mkdtempSync(path.join(parent, 'katman-test-'))
}

/** A tar with one file, made by hand. */
export function tarOf(name: string, text: string): Uint8Array {
  const data = Buffer.from(text)
  const header = Buffer.alloc(512)
  const octal = (value: number, width: number): string =>
    `${value.toString(8).padStart(width - 1, '0')}\0`
  header.write(name, 0)
  header.write(octal(0o644, 8), 100)
  header.write(octal(0, 8), 108)
  header.write(octal(0, 8), 116)
  header.write(octal(data.byteLength, 12), 124)
  header.write(octal(0, 12), 136)
  header.write('        0', 148)
  header.write('ustar\u000000', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${octal(sum, 7)} `, 148)
  const padding = Buffer.alloc((512 - (data.byteLength % 512)) % 512)
  return Buffer.concat([header, data, padding, Buffer.alloc(1024)])
}
