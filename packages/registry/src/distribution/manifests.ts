import { createHash } from 'node:crypto'
import {
  childrenOf,
  type Digest,
  digestAlgorithm,
  type Index,
  isDigest,
  isForeignLayerType,
  isTag,
  type Manifest,
  parseDigest,
} from '@katman/oci'
import { readLength, type RegistryRequest, type RegistryResponse } from '../http.ts'
import { findManifest, findManifestByTag } from '../metadata/manifests.ts'
import { readWholeBody } from '../read-body.ts'
import { Refusal } from '../refusal.ts'
import { isSameAsHeld } from './conditions.ts'
import type { Asked, DistributionContext } from './context.ts'
import { imageFor } from './image-for.ts'
import { storeManifest } from './store-manifest.ts'

export interface ManifestRoute {
  readonly repository: string
  readonly reference: Digest | string
}

/** Answers `GET` and `HEAD` of a manifest by tag or digest. */
export async function readManifest(
  { database, onPull }: DistributionContext,
  request: RegistryRequest,
  { repository, reference }: ManifestRoute,
  { actor, at }: Asked,
): Promise<RegistryResponse> {
  const byDigest = isDigest(reference)
  const stored = byDigest
    ? await findManifest(database, repository, reference)
    : await findManifestByTag(database, repository, reference)
  if (stored === undefined) throw unknownManifest(reference)
  const manifest = byDigest ? stored : await imageFor(database, stored, request.header('accept'))
  const { digest, mediaType, bytes } = manifest
  const method = request.method === 'HEAD' ? 'HEAD' : 'GET'
  onPull({
    repository: manifest.repository,
    digest,
    tag: byDigest ? undefined : reference,
    method,
    mediaType,
    actor,
    at,
  })
  const etag = `"${digest}"`
  const headers = { 'docker-content-digest': digest, etag }
  if (isSameAsHeld(request, etag)) return { status: 304, headers }
  return {
    status: 200,
    headers: {
      'content-type': mediaType,
      'content-length': String(bytes.byteLength),
      ...headers,
    },
    ...(method === 'HEAD' ? {} : { body: bytes }),
  }
}

/** Answers `PUT` of a manifest by tag, or by digest with any number of tags beside it. */
export async function putManifest(
  context: DistributionContext,
  request: RegistryRequest,
  { repository, reference }: ManifestRoute,
  asked: Asked,
): Promise<RegistryResponse> {
  const tags = isDigest(reference) ? readTags(request.query) : [reference]
  const bytes = await readDocument(request, context.limits.manifestBytes)
  const mediaType = (request.header('content-type') ?? '').split(';', 1)[0]?.trim() ?? ''
  const digest = digestOf(bytes, isDigest(reference) ? reference : undefined)
  const manifest = { digest, mediaType, bytes, tags, isSparse: context.allowSparse }
  const document = await storeManifest(context, repository, manifest, asked)
  const subject = document.subject?.digest
  const warning = warningAbout(document)
  return {
    status: 201,
    headers: {
      location: `/v2/${repository}/manifests/${digest}`,
      'docker-content-digest': digest,
      ...(subject === undefined ? {} : { 'oci-subject': subject }),
      ...(isDigest(reference) && tags.length > 0 ? { 'oci-tag': tags.join(', ') } : {}),
      ...(warning === undefined ? {} : { warning: `299 - "${warning}"` }),
    },
  }
}

/** At most so many tags beside a digest. */
const maxTags = 100

function readTags(query: URLSearchParams): readonly string[] {
  const tags = [...new Set(query.getAll('tag'))]
  const wrong = tags.find((tag) => !isTag(tag))
  if (wrong !== undefined) {
    throw new Refusal(400, 'TAG_INVALID', 'manifest tag did not match the tag grammar', {
      detail: { tag: wrong.slice(0, 300) },
    })
  }
  if (tags.length > maxTags) {
    throw new Refusal(414, 'TAG_INVALID', `a manifest is pushed with at most ${maxTags} tags`)
  }
  return tags
}

async function readDocument(request: RegistryRequest, limit: number): Promise<Uint8Array> {
  // Who says that it is too large need not send it.
  if ((readLength(request.header('content-length')) ?? 0) > limit) {
    throw new Refusal(413, 'SIZE_INVALID', `a manifest has at most ${limit} bytes`)
  }
  return readWholeBody(request, limit, 'a manifest')
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

/** What the one who pushed should know (distribution-spec, "Warnings"). */
function warningAbout(document: Manifest | Index): string | undefined {
  return childrenOf(document).some(({ mediaType }) => isForeignLayerType(mediaType))
    ? 'non-distributable layers are deprecated, and not stored here unless they are pushed'
    : undefined
}

export function unknownManifest(reference: string): Refusal {
  return new Refusal(404, 'MANIFEST_UNKNOWN', 'manifest unknown', { detail: { reference } })
}
