import type { Bytes, Digest } from '@katman/oci'
import { parseRange } from '../byte-range.ts'
import type { RegistryRequest, RegistryResponse } from '../http.ts'
import {
  type Blob,
  type BlobContent,
  extendLease,
  findBlob,
  openBlob,
  reviveBlob,
  unlinkBlob,
} from '../metadata/blobs.ts'
import { findRepository } from '../metadata/repositories.ts'
import type { ByteRange, ObjectStore } from '../object-store.ts'
import { Refusal } from '../refusal.ts'
import type { RedirectOptions } from '../registry-options.ts'
import { isSameAsHeld } from './conditions.ts'
import { type Asked, changeRepository, type DistributionContext } from './context.ts'

export interface BlobRoute {
  readonly repository: string
  readonly digest: Digest
}

const contentType = 'application/octet-stream'

/** Answers `HEAD` of a blob. Whoever asks is about to push what names it, so it stays for the time of a lease. */
export async function describeBlob(
  context: DistributionContext,
  request: RegistryRequest,
  { repository, digest }: BlobRoute,
): Promise<RegistryResponse> {
  const blob = await findBlob(context.database, repository, digest)
  if (blob === undefined || !(await keep(context, blob, digest))) throw unknownBlob(digest)
  const headers = headersOf(digest)
  if (isSameAsHeld(request, headers.etag)) return { status: 304, headers }
  return { status: 200, headers: { ...headers, 'content-length': String(blob.size) } }
}

/** Writes only when the lease is used up by half, or the blob is to be removed. False when it is gone by now. */
async function keep(
  { database, limits, now }: DistributionContext,
  { repository, isCondemned, leaseUntil }: Blob,
  digest: Digest,
): Promise<boolean> {
  if (!isCondemned && leaseUntil - now() > limits.leaseMs / 2) return true
  return database.transaction(async (transaction) => {
    await reviveBlob(transaction, digest)
    return extendLease(transaction, repository.id, digest, now() + limits.leaseMs)
  })
}

/** Answers `GET` of a blob, whole or a range of it. */
export async function readBlob(
  { database, objects, redirects }: DistributionContext,
  request: RegistryRequest,
  { repository, digest }: BlobRoute,
): Promise<RegistryResponse> {
  const blob = await openBlob(database, repository, digest)
  if (blob === undefined) throw unknownBlob(digest)
  const { content, isCondemned, size } = blob
  if (isCondemned) await reviveBlob(database, digest)
  const headers = headersOf(digest)
  if (isSameAsHeld(request, headers.etag)) return { status: 304, headers }
  const wanted = request.header('range')
  const isSame = (request.header('if-range') ?? headers.etag) === headers.etag
  const range = wanted !== undefined && isSame ? parseRange(wanted, size) : undefined
  if (range === 'unsatisfiable') {
    throw new Refusal(416, 'RANGE_INVALID', 'the range lies outside the blob', {
      headers: { 'content-range': `bytes */${size}` },
    })
  }
  if ('key' in content && mayRedirect(redirects, request)) {
    const expiresSeconds = redirects?.expiresSeconds ?? 1200
    const location = await objects.linkTo?.(content.key, { expiresSeconds, contentType })
    if (location !== undefined) {
      return { status: 307, headers: { location, 'docker-content-digest': digest } }
    }
  }
  const { start, end } = range ?? { start: 0, end: size }
  return {
    status: range === undefined ? 200 : 206,
    headers: {
      ...headers,
      'content-length': String(end - start),
      ...(range === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${size}` }),
    },
    body: bytesOf(objects, content, { start, end }),
  }
}

/** Only when asked for, and not for clients that are known to stumble over it. */
function mayRedirect(redirects: RedirectOptions | undefined, request: RegistryRequest): boolean {
  if (redirects === undefined) return false
  const client = request.header('user-agent') ?? ''
  return redirects.neverFor?.some((part) => client.includes(part)) !== true
}

function bytesOf(objects: ObjectStore, content: BlobContent, range: ByteRange): Uint8Array | Bytes {
  return 'key' in content
    ? objects.open(content.key, range)
    : content.data.subarray(range.start, range.end)
}

/** Answers `DELETE` of a blob: the repository cannot read it any more. */
export async function deleteBlob(
  context: DistributionContext,
  { repository, digest }: BlobRoute,
  asked: Asked,
): Promise<RegistryResponse> {
  const isKnown = (await findRepository(context.database, repository)) !== undefined
  const wasThere =
    isKnown &&
    (await changeRepository(context, repository, asked, async (writing) => {
      const blob = await findBlob(writing.transaction, repository, digest)
      if (!(await unlinkBlob(writing.transaction, writing.repository.id, digest))) return false
      await writing.tell({ kind: 'blob-unlinked', digest, size: blob?.size ?? 0 })
      return true
    }))
  if (!wasThere) throw unknownBlob(digest)
  return { status: 202 }
}

function headersOf(digest: Digest): Readonly<Record<string, string>> & { readonly etag: string } {
  return {
    'accept-ranges': 'bytes',
    'content-type': contentType,
    'docker-content-digest': digest,
    etag: `"${digest}"`,
  }
}

function unknownBlob(digest: Digest): Refusal {
  return new Refusal(404, 'BLOB_UNKNOWN', 'blob unknown to registry', { detail: { digest } })
}
