import type { Descriptor, Digest } from '@katman/oci'
import { type Opener, verified, type WriteOptions } from '@katman/transfer'
import type { StreamBody } from './http.ts'
import { responseInvalid } from './network-error.ts'
import { parseLocation } from './redirect.ts'
import type { RegistryRequest, Session } from './session.ts'

/** A registry may check and move a large blob before it answers. */
const commitMs = 5 * 60_000

export interface UploadOptions {
  readonly session: Session
  readonly repository: string
  readonly descriptor: Descriptor
  readonly open: Opener
  readonly name: string
  readonly write: WriteOptions
  /** Another repository of the registry that may have the blob. */
  readonly mountFrom?: string | undefined
}

/**
 * Uploads a blob: `POST` for a session, then one `PUT` with all of it (distribution-spec, "POST then PUT"). With
 * `mountFrom` the session is asked to mount it instead ("Mounting a blob from another repository").
 * The upload address may be on another host; our authorization is not sent there.
 * Throws `DIGEST_MISMATCH` and `SIZE_MISMATCH` when the source does not hold what it should.
 */
export async function uploadBlob(options: UploadOptions): Promise<void> {
  const { session, repository, descriptor, mountFrom, write } = options
  const shared = {
    subject: 'upload',
    repository,
    scopes: [
      ...pushScopes(repository),
      ...(mountFrom === undefined ? [] : [`repository:${mountFrom}:pull`]),
    ],
    signal: write.signal,
  } as const satisfies Partial<RegistryRequest>
  const query = mountFrom === undefined ? '' : mountQuery(descriptor.digest, mountFrom)
  const started = await session.expect(
    { ...shared, method: 'POST', target: `${repository}/blobs/uploads/${query}` },
    mountFrom === undefined ? [202] : [201, 202],
  )
  started.response.discard()
  if (mountFrom !== undefined && started.response.status === 201) {
    write.onProgress?.({ state: 'mounted', from: mountFrom })
    return
  }
  const post = { method: 'POST', url: started.url }
  const location = started.response.headers.get('location')
  if (location === undefined) throw responseInvalid(post, 'the upload has no Location')
  const target = parseLocation(location, { method: 'POST', url: started.url })
  // The address is opaque, often signed as it is written: the digest is put after it without a new encoding.
  target.search += `${target.search === '' ? '?' : '&'}digest=${encodeURIComponent(descriptor.digest)}`

  const body = uploadBody(options)
  try {
    const done = await session.expect(
      {
        ...shared,
        method: 'PUT',
        target,
        headers: { 'content-type': 'application/octet-stream' },
        body,
        headersMs: commitMs,
      },
      [201, 204],
    )
    done.response.discard()
  } catch (error) {
    // What our own source did is the reason, and no retry of the upload would help.
    throw body.sourceFailure() ?? error
  }
  write.onProgress?.({ state: 'received' })
}

function mountQuery(digest: Digest, from: string): string {
  return `?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`
}

/** The token scopes that a write needs. */
export function pushScopes(repository: string): readonly string[] {
  return [`repository:${repository}:pull,push`]
}

function uploadBody(options: UploadOptions): StreamBody & { sourceFailure(): unknown } {
  const { descriptor, open, name, write } = options
  let failure: unknown
  async function* bytes(): AsyncIterable<Uint8Array> {
    let sent = 0
    try {
      for await (const chunk of verified(await open(0), descriptor, name)) {
        yield chunk
        sent += chunk.byteLength
        write.onProgress?.({ state: 'receiving', bytes: sent })
      }
      write.onProgress?.({ state: 'verifying' })
    } catch (error) {
      failure = error
      throw error
    }
  }
  return { size: descriptor.size, open: bytes, sourceFailure: () => failure }
}
