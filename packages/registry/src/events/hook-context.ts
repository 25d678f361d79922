import { createHash, randomUUID } from 'node:crypto'
import { describeReferrer, type Digest, mediaTypes, parseDigest, parseManifest } from '@katman/oci'
import type { Asked, DistributionContext } from '../distribution/context.ts'
import { storeBlob } from '../distribution/store-blob.ts'
import { storeManifest } from '../distribution/store-manifest.ts'
import { type BlobContent, openBlob } from '../metadata/blobs.ts'
import { findManifest } from '../metadata/manifests.ts'
import type { HookResult, StoredImage } from './image-hook.ts'

/** The image for a hook; undefined when it is not there any more. */
export async function createStoredImage(
  core: DistributionContext,
  image: {
    readonly repository: string
    readonly digest: Digest
    readonly now: number
    readonly signal: AbortSignal
  },
): Promise<StoredImage | undefined> {
  const { repository, digest, now, signal } = image
  const manifest = await findManifest(core.database, repository, digest)
  if (manifest === undefined) return undefined
  const { mediaType, bytes } = manifest
  const described = describeReferrer(
    { mediaType, digest, size: bytes.byteLength },
    parseManifest(bytes, mediaType),
  )
  const asked: Asked = { actor: undefined, at: now }
  return {
    repository,
    digest,
    mediaType,
    artifactType: described.artifactType,
    signal,
    manifest: bytes,
    async openBlob(wanted) {
      const blob = await openBlob(core.database, repository, wanted)
      if (blob === undefined) return undefined
      const { content, size } = blob
      return 'key' in content
        ? core.objects.open(content.key, { start: 0, end: size })
        : whole(content.data)
    },
    attach: (result) =>
      attach(core, { repository, digest, mediaType, size: bytes.byteLength }, result, asked),
  }
}

/** An artifact of one layer (image-spec, "Guidelines for artifact usage"). */
async function attach(
  core: DistributionContext,
  subject: {
    readonly repository: string
    readonly digest: Digest
    readonly mediaType: string
    readonly size: number
  },
  { artifactType, mediaType, content, annotations }: HookResult,
  asked: Asked,
): Promise<Digest> {
  const { repository, ...described } = subject
  const empty = Buffer.from('{}')
  for (const bytes of [empty, content]) {
    await storeBlob(
      core,
      repository,
      {
        digest: digestOf(bytes),
        size: bytes.byteLength,
        content: await store(core, bytes),
        how: 'upload',
      },
      asked,
    )
  }
  const document = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      artifactType,
      config: { mediaType: mediaTypes.ociEmpty, digest: digestOf(empty), size: empty.byteLength },
      layers: [{ mediaType, digest: digestOf(content), size: content.byteLength }],
      subject: { mediaType: described.mediaType, digest: described.digest, size: described.size },
      ...(annotations === undefined ? {} : { annotations }),
    }),
  )
  const digest = digestOf(document)
  await storeManifest(
    core,
    repository,
    { digest, mediaType: mediaTypes.ociManifest, bytes: document, tags: [], isSparse: false },
    asked,
  )
  return digest
}

async function store(
  { objects, limits }: DistributionContext,
  bytes: Uint8Array,
): Promise<BlobContent> {
  if (bytes.byteLength <= limits.inlineBytes) return { data: bytes }
  const { upload, failure } = await objects.append(await objects.begin(randomUUID()), whole(bytes))
  if (failure !== undefined) throw failure
  await objects.finish(upload)
  return { key: upload.key }
}

async function* whole(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

function digestOf(bytes: Uint8Array): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
}
