import { type Descriptor, type Digest, isKatmanError } from '@katman/oci'
import type { StreamBody } from './http.ts'
import { responseInvalid } from './network-error.ts'
import { type FinalResponse, parseLocation } from './redirect.ts'
import { isTransient } from './retry.ts'
import type { RegistryRequest, Session } from './session.ts'
import type { UploadSource } from './upload-source.ts'

/** Where an upload stands, as its registry told last. */
export interface UploadPlace {
  /** The newest Location: a registry may put its own state into each. */
  readonly url: URL
  /** Bytes the registry has. */
  readonly offset: number
  /** `OCI-Chunk-Min-Length`: only the last chunk may be shorter. */
  readonly minChunkBytes: number
}

export interface UploadSessionOptions {
  readonly session: Session
  readonly repository: string
  readonly descriptor: Descriptor
  readonly source: UploadSource
  readonly signal: AbortSignal | undefined
}

/**
 * The requests of an upload (distribution-spec, "Pushing blobs"), one call each. The upload address may be on another
 * host; our authorization is not sent there. All throw what {@link Session.expect} throws.
 */
export interface UploadSession {
  /** Begins; 'mounted' when the registry took the blob from `mountFrom` instead. */
  open(mountFrom: string | undefined): Promise<UploadPlace | 'mounted'>
  /** Takes up what another process began. Undefined when the registry does not say how far it is. */
  resume(location: string): Promise<UploadPlace | undefined>
  /** Asks how far it is: 'gone' when the registry does not know it any more, 'silent' when it does not say. */
  status(place: UploadPlace): Promise<UploadPlace | 'gone' | 'silent'>
  /** Sends the bytes up to `end`. */
  patch(place: UploadPlace, end: number): Promise<UploadPlace>
  /** Sends all the rest and closes. */
  put(place: UploadPlace): Promise<void>
  /** Sends everything without an open upload; a place when the registry opened one instead. */
  post(): Promise<UploadPlace | 'done'>
}

export function createUploadSession(options: UploadSessionOptions): UploadSession {
  const { session, repository, descriptor, source, signal } = options
  const { size, digest } = descriptor
  const shared = { subject: 'upload', repository, scopes: pushScopes(repository), signal } as const

  const send = async (
    request: Pick<RegistryRequest, 'method' | 'target'> & Partial<RegistryRequest>,
    statuses: readonly number[],
  ): Promise<FinalResponse> => {
    const final = await session.expect({ ...shared, ...request }, statuses)
    final.response.discard()
    return final
  }

  function body(start: number, end: number): StreamBody {
    return { size: end - start, open: () => source.read(start, end) }
  }

  async function status(place: UploadPlace): Promise<UploadPlace | 'gone' | 'silent'> {
    let answer: FinalResponse
    try {
      answer = await send({ method: 'GET', target: place.url }, [200, 202, 204])
    } catch (error) {
      const code = isKatmanError(error) ? error.details['status'] : undefined
      if (typeof code !== 'number' || isTransient(error)) throw error
      return code === 404 || code === 410 ? 'gone' : 'silent'
    }
    const offset = parseUploadRange(answer.response.headers.get('range'))
    if (offset === undefined || offset > size) return 'silent'
    return placeAfter(answer, 'GET', { ...place, offset })
  }

  return {
    async open(mountFrom) {
      const query = mountFrom === undefined ? '' : mountQuery(digest, mountFrom)
      const scopes =
        mountFrom === undefined ? shared.scopes : [...shared.scopes, `repository:${mountFrom}:pull`]
      const answer = await send(
        { method: 'POST', target: `${repository}/blobs/uploads/${query}`, scopes },
        mountFrom === undefined ? [202] : [201, 202],
      )
      return answer.response.status === 201 ? 'mounted' : newPlace(answer)
    },
    async resume(location) {
      const root = await session.connect(signal)
      let url: URL
      try {
        url = parseLocation(location, { method: 'GET', url: root })
      } catch {
        // What was remembered is no address to go to (any more).
        return undefined
      }
      const found = await status({ url, offset: 0, minChunkBytes: 0 })
      return typeof found === 'string' ? undefined : found
    },
    status,
    async patch(place, end) {
      const start = place.offset
      const answer = await send(
        {
          method: 'PATCH',
          target: place.url,
          headers: {
            'content-type': 'application/octet-stream',
            // Everything in one stream has no range; docker sends it so, too.
            ...(start === 0 && end === size ? {} : { 'content-range': `${start}-${end - 1}` }),
          },
          body: body(start, end),
          commits: true,
        },
        [200, 202, 204],
      )
      const offset = parseUploadRange(answer.response.headers.get('range')) ?? end
      return placeAfter(answer, 'PATCH', { ...place, offset: Math.min(offset, end) })
    },
    async put(place) {
      const start = place.offset
      await send(
        {
          method: 'PUT',
          target: withDigest(place.url, digest),
          headers: {
            'content-type': 'application/octet-stream',
            ...(start === 0 || start === size ? {} : { 'content-range': `${start}-${size - 1}` }),
          },
          body: start === size && size > 0 ? new Uint8Array() : body(start, size),
          commits: true,
        },
        [200, 201, 204],
      )
    },
    async post() {
      const answer = await send(
        {
          method: 'POST',
          target: `${repository}/blobs/uploads/?digest=${encodeURIComponent(digest)}`,
          headers: { 'content-type': 'application/octet-stream' },
          body: body(0, size),
          commits: true,
        },
        [201, 202, 204],
      )
      return answer.response.status === 202 ? newPlace(answer) : 'done'
    },
  }
}

/** The token scopes that a write needs. */
export function pushScopes(repository: string): readonly string[] {
  return [`repository:${repository}:pull,push`]
}

/**
 * How many bytes a `Range: 0-N` of an upload says are there; undefined when it says nothing. `0-0` is what registries
 * write for none: one byte alone is never sent.
 */
export function parseUploadRange(header: string | undefined): number | undefined {
  const found = /^(?:bytes[=\s])?\s*0-(-1|\d{1,16})(?:\/.*)?$/.exec(header?.trim() ?? '')
  if (found === null) return undefined
  const last = Number(found[1])
  return last <= 0 ? 0 : last + 1
}

function newPlace(answer: FinalResponse): UploadPlace {
  const place = placeAfter(answer, 'POST', undefined)
  if (place !== undefined) return place
  throw responseInvalid({ method: 'POST', url: answer.url }, 'the upload has no Location')
}

function placeAfter(answer: FinalResponse, method: 'GET' | 'PATCH', known: UploadPlace): UploadPlace
function placeAfter(
  answer: FinalResponse,
  method: 'POST',
  known: undefined,
): UploadPlace | undefined
function placeAfter(
  { response, url }: FinalResponse,
  method: 'GET' | 'PATCH' | 'POST',
  known: UploadPlace | undefined,
): UploadPlace | undefined {
  const location = response.headers.get('location')
  const next = location === undefined ? known?.url : parseLocation(location, { method, url })
  if (next === undefined) return undefined
  const asked = /^\d{1,12}$/.exec(response.headers.get('oci-chunk-min-length') ?? '')
  return {
    url: next,
    offset: known?.offset ?? 0,
    minChunkBytes: asked === null ? (known?.minChunkBytes ?? 0) : Number(asked[0]),
  }
}

function mountQuery(digest: Digest, from: string): string {
  return `?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`
}

/** The address is opaque, often signed as it is written: the digest is put after it without a new encoding. */
function withDigest(place: URL, digest: Digest): URL {
  const url = new URL(place)
  url.search += `${url.search === '' ? '?' : '&'}digest=${encodeURIComponent(digest)}`
  return url
}
