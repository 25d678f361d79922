import { createHash } from 'node:crypto'
import {
  childrenOf,
  type Digest,
  digestAlgorithm,
  type Index,
  isDigest,
  isForeignLayerType,
  type Manifest,
  maxDocumentBytes,
  parseDigest,
  parseManifest,
} from '@katman/oci'
import { readLength, type RegistryRequest, type RegistryResponse } from './http.ts'
import { Refusal } from './refusal.ts'
import type { RegistryStorage } from './storage.ts'

interface ManifestRoute {
  readonly repository: string
  readonly reference: Digest | string
}

/** Answers `GET`, `HEAD`, `PUT` and `DELETE` of a manifest by tag or digest. */
export async function handleManifest(
  storage: RegistryStorage,
  request: RegistryRequest,
  route: ManifestRoute,
): Promise<RegistryResponse> {
  if (request.method === 'PUT') return putManifest(storage, request, route)
  if (request.method === 'DELETE') return deleteManifest(storage, route)
  const { repository, reference } = route
  const digest = isDigest(reference) ? reference : await storage.tags.get(repository, reference)
  const manifest = digest && (await storage.manifests.get(repository, digest))
  if (!manifest) throw unknownManifest(reference)
  return {
    status: 200,
    headers: {
      'content-type': manifest.mediaType,
      'content-length': String(manifest.bytes.byteLength),
      'docker-content-digest': manifest.digest,
      etag: `"${manifest.digest}"`,
    },
    ...(request.method === 'HEAD' ? {} : { body: manifest.bytes }),
  }
}

async function putManifest(
  storage: RegistryStorage,
  request: RegistryRequest,
  { repository, reference }: ManifestRoute,
): Promise<RegistryResponse> {
  const bytes = await readDocument(request)
  const mediaType = (request.header('content-type') ?? '').split(';')[0]?.trim() ?? ''
  const digest = digestOf(bytes, isDigest(reference) ? reference : undefined)
  const document = parseManifest(bytes, mediaType)
  const earlier = await storage.manifests.get(repository, digest)
  // The same bytes under two types are how one image is made to look like another (CVE-2021-41190).
  if (earlier !== undefined && earlier.mediaType !== mediaType) {
    throw new Refusal(400, 'MANIFEST_INVALID', `the manifest is stored as ${earlier.mediaType}`)
  }
  await checkContent(storage, repository, document)
  const subject = document.subject?.digest
  await storage.manifests.put(repository, { digest, mediaType, bytes }, subject)
  if (!isDigest(reference)) await storage.tags.set(repository, reference, digest)
  return {
    status: 201,
    headers: {
      location: `/v2/${repository}/manifests/${digest}`,
      'docker-content-digest': digest,
      ...(subject === undefined ? {} : { 'oci-subject': subject }),
    },
  }
}

async function deleteManifest(
  { manifests, tags }: RegistryStorage,
  { repository, reference }: ManifestRoute,
): Promise<RegistryResponse> {
  if (!isDigest(reference)) {
    if (!(await tags.delete(repository, reference))) throw unknownManifest(reference)
    return { status: 202 }
  }
  if ((await manifests.get(repository, reference)) === undefined) throw unknownManifest(reference)
  // The tags first: a tag never points to nothing.
  for (const tag of await tags.list(repository)) {
    if ((await tags.get(repository, tag)) === reference) await tags.delete(repository, tag)
  }
  if (!(await manifests.delete(repository, reference))) throw unknownManifest(reference)
  return { status: 202 }
}

/** What a manifest points to must be there, except what is fetched from elsewhere and the subject. */
async function checkContent(
  { blobs, manifests }: RegistryStorage,
  repository: string,
  document: Manifest | Index,
): Promise<void> {
  for (const child of childrenOf(document)) {
    const isThere =
      document.kind === 'index'
        ? (await manifests.get(repository, child.digest)) !== undefined
        : isForeignLayerType(child.mediaType) ||
          (await blobs.size(repository, child.digest)) === child.size
    if (!isThere) {
      throw new Refusal(
        400,
        'MANIFEST_BLOB_UNKNOWN',
        'manifest references a manifest or blob unknown to registry',
        { detail: { digest: child.digest } },
      )
    }
  }
}

async function readDocument(request: RegistryRequest): Promise<Uint8Array> {
  const tooLarge = new Refusal(
    413,
    'SIZE_INVALID',
    `a manifest has at most ${maxDocumentBytes} bytes`,
  )
  if ((readLength(request.header('content-length')) ?? 0) > maxDocumentBytes) throw tooLarge
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body) {
    size += chunk.byteLength
    if (size > maxDocumentBytes) throw tooLarge
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function digestOf(bytes: Uint8Array, expected: Digest | undefined): Digest {
  const algorithm = expected === undefined ? 'sha256' : digestAlgorithm(expected)
  const hex = createHash(algorithm).update(bytes).digest('hex')
  const digest = parseDigest(`${algorithm}:${hex}`)
  if (expected === undefined || digest === expected) return digest
  throw new Refusal(400, 'DIGEST_INVALID', 'provided digest did not match uploaded content', {
    detail: { digest: expected },
  })
}

function unknownManifest(reference: string): Refusal {
  return new Refusal(404, 'MANIFEST_UNKNOWN', 'manifest unknown', { detail: { reference } })
}
