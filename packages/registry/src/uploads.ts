import { type Digest, digestAlgorithm, type DigestAlgorithm, parseDigest } from '@katman/oci'
import { readLength, type RegistryRequest, type RegistryResponse } from './http.ts'
import { Refusal } from './refusal.ts'
import { isRepositoryName, unknownUpload } from './route.ts'
import type { RegistryStorage, Upload } from './storage.ts'

export interface UploadHandlers {
  /** `POST /v2/<name>/blobs/uploads/`: a session, a whole blob, or a mount. */
  start(request: RegistryRequest, options: StartOptions): Promise<RegistryResponse>
  /** `PATCH`, `PUT`, `GET` and `DELETE` of a session. */
  go(request: RegistryRequest, options: SessionOptions): Promise<RegistryResponse>
}

interface StartOptions {
  readonly repository: string
  /** Whether the client may read what it wants to mount. */
  readonly mayPull: (repository: string) => boolean
}

interface SessionOptions {
  readonly repository: string
  readonly id: string
}

/** Blob uploads (distribution-spec, "Pushing blobs"): in one request, in two, in chunks, or by mounting. */
export function createUploadHandlers({ blobs, uploads }: RegistryStorage): UploadHandlers {
  /** Sessions with a request under way: two at once would mix their bytes. */
  const busy = new Set<string>()

  async function exclusively<T>(id: string, work: () => Promise<T>): Promise<T> {
    if (busy.has(id)) {
      throw new Refusal(409, 'BLOB_UPLOAD_INVALID', 'another request writes to this upload')
    }
    busy.add(id)
    try {
      return await work()
    } finally {
      busy.delete(id)
    }
  }

  return {
    async start(request, { repository, mayPull }) {
      const mount = request.query.get('mount')
      const from = request.query.get('from')
      if (mount !== null) {
        const digest = parseDigest(mount)
        const isReadable = from !== null && isRepositoryName(from) && mayPull(from)
        if (isReadable && (await blobs.mount(repository, digest, from)))
          return created(repository, digest)
      }
      const given = mount === null ? request.query.get('digest') : null
      const digest = given === null ? undefined : parseDigest(given)
      const upload = await uploads.create(repository)
      if (digest === undefined) return accepted(202, repository, upload)
      try {
        await upload.append(request.body, digestAlgorithm(digest))
        return await commit(repository, upload, digest)
      } catch (error) {
        // The client never learnt of the session, so nobody would go on with it.
        await upload.discard()
        throw error
      }
    },
    async go(request, { repository, id }) {
      const upload = await uploads.find(repository, id)
      if (upload === undefined) throw unknownUpload()
      if (request.method === 'GET') return accepted(204, repository, upload)
      return exclusively(id, async () => {
        if (request.method === 'DELETE') {
          await upload.discard()
          return { status: 204 }
        }
        const digest = request.method === 'PUT' ? closingDigest(request) : undefined
        checkPosition(request, repository, upload)
        await upload.append(request.body, algorithmOf(request, digest))
        return digest === undefined
          ? accepted(202, repository, upload)
          : commit(repository, upload, digest)
      })
    },
  }
}

async function commit(
  repository: string,
  upload: Upload,
  digest: Digest,
): Promise<RegistryResponse> {
  if (await upload.commit(digest)) return created(repository, digest)
  await upload.discard()
  throw new Refusal(400, 'DIGEST_INVALID', 'provided digest did not match uploaded content', {
    detail: { digest },
  })
}

function closingDigest(request: RegistryRequest): Digest {
  const text = request.query.get('digest')
  if (text !== null) return parseDigest(text)
  throw new Refusal(400, 'DIGEST_INVALID', 'the upload is closed without a digest')
}

function algorithmOf(request: RegistryRequest, digest: Digest | undefined): DigestAlgorithm {
  if (digest !== undefined) return digestAlgorithm(digest)
  return request.query.get('digest-algorithm') === 'sha512' ? 'sha512' : 'sha256'
}

/** A chunk must begin where the last one ended; then the session goes on as if it had not been sent. */
function checkPosition(request: RegistryRequest, repository: string, upload: Upload): void {
  const header = request.header('content-range')
  if (header === undefined) return
  const match = /^(?:bytes )?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?$/.exec(header)
  const [start, last] = [Number(match?.[1] ?? NaN), Number(match?.[2] ?? NaN)]
  const length = readLength(request.header('content-length'))
  const isWhole = length === undefined || length === last - start + 1
  if (start === upload.size && isWhole) return
  throw new Refusal(416, 'RANGE_INVALID', 'the chunk does not begin where the upload stands', {
    detail: { size: upload.size },
    headers: sessionHeaders(repository, upload),
  })
}

function accepted(status: number, repository: string, upload: Upload): RegistryResponse {
  return { status, headers: sessionHeaders(repository, upload) }
}

function sessionHeaders(repository: string, upload: Upload): Readonly<Record<string, string>> {
  return {
    location: `/v2/${repository}/blobs/uploads/${upload.id}`,
    'docker-upload-uuid': upload.id,
    range: `0-${Math.max(0, upload.size - 1)}`,
  }
}

function created(repository: string, digest: Digest): RegistryResponse {
  return {
    status: 201,
    headers: {
      location: `/v2/${repository}/blobs/${digest}`,
      'docker-content-digest': digest,
    },
  }
}
