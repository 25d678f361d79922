import type { Digest } from '@katman/oci'
import { parseRange } from './byte-range.ts'
import type { RegistryRequest, RegistryResponse } from './http.ts'
import { Refusal } from './refusal.ts'
import type { RegistryStorage } from './storage.ts'

/** Answers `GET`, `HEAD` and `DELETE` of a blob. */
export async function handleBlob(
  { blobs }: RegistryStorage,
  request: RegistryRequest,
  { repository, digest }: { readonly repository: string; readonly digest: Digest },
): Promise<RegistryResponse> {
  if (request.method === 'DELETE') {
    if (!(await blobs.delete(repository, digest))) throw unknownBlob(digest)
    return { status: 202 }
  }
  const size = await blobs.size(repository, digest)
  if (size === undefined) throw unknownBlob(digest)
  const etag = `"${digest}"`
  const headers = {
    'accept-ranges': 'bytes',
    'content-type': 'application/octet-stream',
    'docker-content-digest': digest,
    etag,
  }
  const wanted = request.method === 'GET' ? request.header('range') : undefined
  const isSame = (request.header('if-range') ?? etag) === etag
  const range = wanted !== undefined && isSame ? parseRange(wanted, size) : undefined
  if (range === 'unsatisfiable') {
    throw new Refusal(416, 'RANGE_INVALID', 'the range lies outside the blob', {
      headers: { 'content-range': `bytes */${size}` },
    })
  }
  const { start, end } = range ?? { start: 0, end: size }
  return {
    status: range === undefined ? 200 : 206,
    headers: {
      ...headers,
      'content-length': String(end - start),
      ...(range === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${size}` }),
    },
    ...(request.method === 'HEAD' ? {} : { body: blobs.open(repository, digest, { start, end }) }),
  }
}

function unknownBlob(digest: Digest): Refusal {
  return new Refusal(404, 'BLOB_UNKNOWN', 'blob unknown to registry', { detail: { digest } })
}
