import { createHash } from 'node:crypto'

export interface SoakManifest {
  readonly digest: string
  readonly mediaType: string
  readonly bytes: Buffer
  readonly blobs: readonly SoakBlob[]
  readonly children: readonly SoakManifest[]
}

export interface SoakBlob {
  readonly digest: string
  readonly bytes: Buffer
}

const ociManifest = 'application/vnd.oci.image.manifest.v1+json'
const ociIndex = 'application/vnd.oci.image.index.v1+json'

/** A blob that is the same for the same number, between 20 bytes and 150 kB; some share no row of a database. */
export function makeBlob(seed: number | string): SoakBlob {
  const start = createHash('sha512').update(`blob ${seed}`).digest()
  const size =
    start.readUInt8(0) < 16 ? 70_000 + start.readUInt16BE(1) : 20 + (start.readUInt16BE(1) % 6_000)
  const bytes = Buffer.alloc(size)
  for (let at = 0; at < size; at += start.byteLength) start.copy(bytes, at)
  return { digest: digestOf(bytes), bytes }
}

/** The image of a number: images near each other share layers. */
export function makeImage(seed: number): SoakManifest {
  const blobs = [makeBlob(`config ${seed}`), makeBlob(seed % 40), makeBlob(seed)]
  const [config, ...layers] = blobs.map(({ digest, bytes }) => ({
    mediaType: 'application/octet-stream',
    digest,
    size: bytes.byteLength,
  }))
  return makeManifest({ schemaVersion: 2, mediaType: ociManifest, config, layers }, ociManifest, {
    blobs,
  })
}

export function makeIndex(children: readonly SoakManifest[]): SoakManifest {
  const manifests = children.map(({ digest, mediaType, bytes }) => ({
    mediaType,
    digest,
    size: bytes.byteLength,
  }))
  return makeManifest({ schemaVersion: 2, mediaType: ociIndex, manifests }, ociIndex, { children })
}

export function makeReferrer(subject: SoakManifest, note: string): SoakManifest {
  const empty = { digest: digestOf(Buffer.from('{}')), bytes: Buffer.from('{}') }
  const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: empty.digest, size: 2 }
  const document = {
    schemaVersion: 2,
    mediaType: ociManifest,
    artifactType: 'application/vnd.test.note',
    config,
    layers: [config],
    subject: {
      mediaType: subject.mediaType,
      digest: subject.digest,
      size: subject.bytes.byteLength,
    },
    annotations: { note },
  }
  return makeManifest(document, ociManifest, { blobs: [empty] })
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

function makeManifest(
  document: object,
  mediaType: string,
  { blobs = [], children = [] }: Partial<Pick<SoakManifest, 'blobs' | 'children'>>,
): SoakManifest {
  const bytes = Buffer.from(JSON.stringify(document))
  return { digest: digestOf(bytes), mediaType, bytes, blobs, children }
}
