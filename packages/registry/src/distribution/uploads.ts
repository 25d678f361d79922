import { randomUUID } from 'node:crypto'
import {
  type Digest,
  digestAlgorithm,
  type DigestAlgorithm,
  isKatmanError,
  parseDigest,
} from '@katman/oci'
import type { Visitor } from '../access.ts'
import { readLength, type RegistryRequest, type RegistryResponse } from '../http.ts'
import { addUpload, countUploads, findUpload, type UploadRow } from '../metadata/uploads.ts'
import { Refusal } from '../refusal.ts'
import { unknownUpload } from '../route.ts'
import { appendBody } from './append-body.ts'
import type { Asked, DistributionContext } from './context.ts'
import { giveUpUpload } from './expire-uploads.ts'
import { IncomingBody } from './incoming-body.ts'
import { LiveUploads } from './live-uploads.ts'
import { mountBlob } from './mount-blob.ts'
import { otherWriter, storeBlob } from './store-blob.ts'
import { leaveUpload, renewing, takeUpload } from './take-upload.ts'
import { hasDigest } from './upload-hash.ts'
import { createUploadHolder } from './upload-holder.ts'

export interface UploadHandlers {
  /** `POST /v2/<name>/blobs/uploads/`: a session, a whole blob, or a mount. */
  start(
    request: RegistryRequest,
    repository: string,
    visitor: Visitor,
    asked: Asked,
  ): Promise<RegistryResponse>
  /** `PATCH`, `PUT`, `GET` and `DELETE` of a session. */
  go(request: RegistryRequest, session: Session, asked: Asked): Promise<RegistryResponse>
}

interface Session {
  readonly repository: string
  readonly id: string
}

/** A body that comes with its digest and takes longer than this becomes an upload like any other. */
const wholeMs = 1000
/** An account has at most so many uploads open. */
const maxOpen = 1000

/** Blob uploads (distribution-spec, "Pushing blobs"): in one request, in two, in chunks, or by mounting. */
export function createUploadHandlers(context: DistributionContext): UploadHandlers {
  const { database, limits, now, objects } = context
  const holder = createUploadHolder()
  const uploads = new LiveUploads()

  async function begin(repository: string, { actor, at }: Asked): Promise<UploadRow> {
    const id = randomUUID()
    await database.transaction(
      async (transaction) => {
        if (actor !== undefined && (await countUploads(transaction, actor)) >= maxOpen)
          throw tooManyOpen()
        await addUpload(transaction, { id, repository, actor, now: at })
      },
      { isDurable: false },
    )
    const data = new Uint8Array()
    const fresh = {
      object: undefined,
      digest: undefined,
      epoch: 0,
      busyUntil: 0,
      holder: undefined,
    }
    return { id, repository, size: 0, data, ...fresh }
  }

  function discard(row: UploadRow): Promise<boolean> {
    uploads.forget(row.id)
    return giveUpUpload(context, row)
  }

  /** The whole blob in one request. */
  async function pushWhole(
    request: RegistryRequest,
    repository: string,
    digest: Digest,
    asked: Asked,
  ): Promise<RegistryResponse> {
    const body = new IncomingBody(request.body)
    const few = await body.whole(limits.inlineBytes, wholeMs)
    if (few !== undefined) {
      if (few.failure !== undefined) throw few.failure
      const content = { data: few.arrived }
      if (!(await hasDigest(content.data, digest))) throw otherBytes(digest)
      const blob = { digest, size: content.data.byteLength, content, how: 'upload' as const }
      await storeBlob(context, repository, blob, asked)
      return created(repository, digest)
    }
    let row = await begin(repository, asked)
    return uploads.exclusively(row.id, async () => {
      const live = uploads.of(row, digestAlgorithm(digest))
      try {
        row = await appendBody(context, row, body, live, { holder, asked })
        return await commit(row, digest, asked)
      } catch (error) {
        // The client never learnt of the session, so nobody would go on with it.
        const left = await findUpload(database, repository, row.id, asked.actor)
        if (left !== undefined) await discard(left)
        throw error
      }
    })
  }

  /** Makes a blob of an upload that is read to its end. */
  async function commit(row: UploadRow, digest: Digest, asked: Asked): Promise<RegistryResponse> {
    if (row.object === undefined) return conclude(row, digest, asked)
    const taken = await takeUpload(context, row, holder)
    using _renewal = renewing(context, taken)
    try {
      return await conclude(taken, digest, asked)
    } catch (error) {
      // Refused is given up; everything else may be tried again.
      if (!(error instanceof Refusal)) await leaveUpload(context, taken)
      throw error
    }
  }

  async function conclude(row: UploadRow, digest: Digest, asked: Asked): Promise<RegistryResponse> {
    const { data, object, repository, size } = row
    const known =
      row.digest !== undefined &&
      digestAlgorithm(row.digest) === digestAlgorithm(digest) &&
      !(object !== undefined && objects.mayHaveLost?.(object))
    const isRight = known
      ? row.digest === digest
      : await hasDigest(object === undefined ? data : objects.readUpload(object), digest)
    if (!isRight) {
      await discard(row)
      throw otherBytes(digest)
    }
    if (object !== undefined) await objects.finish(object)
    const content = object === undefined ? { data } : { key: object.key }
    try {
      const blob = { digest, size, content, how: 'upload' as const, upload: row }
      await storeBlob(context, repository, blob, asked)
    } catch (error) {
      // What may not be kept is not kept for another try.
      if (error instanceof Refusal) await discard(row)
      throw error
    }
    uploads.forget(row.id)
    return created(repository, digest)
  }

  return {
    async start(request, repository, visitor, asked) {
      const { query } = request
      const mount = query.get('mount')
      if (mount !== null) {
        const digest = parseDigest(mount)
        const wanted = { digest, from: query.get('from') }
        if (await mountBlob(context, repository, wanted, visitor, asked))
          return created(repository, digest)
      }
      const given = mount === null ? query.get('digest') : null
      if (given !== null) return pushWhole(request, repository, parseDigest(given), asked)
      const row = await begin(repository, asked)
      uploads.begin(row, algorithmOf(request))
      return { status: 202, headers: sessionHeaders(row) }
    },
    async go(request, { repository, id }, asked) {
      const find = async (): Promise<UploadRow> => {
        const row = await findUpload(database, repository, id, asked.actor)
        if (row === undefined) throw unknownUpload()
        return row
      }
      if (request.method === 'GET') {
        const row = await find()
        return { status: 204, headers: sessionHeaders(row, uploads.position(row)) }
      }
      if (request.method === 'DELETE') {
        if (!(await discard(await find()))) throw unknownUpload()
        return { status: 204 }
      }
      const digest = request.method === 'PUT' ? closingDigest(request) : undefined
      const algorithm = digest === undefined ? algorithmOf(request) : digestAlgorithm(digest)
      return uploads.exclusively(id, async () => {
        const row = await find()
        checkPosition(request, row)
        const live = uploads.of(row, algorithm)
        const body = new IncomingBody(request.body)
        try {
          const grown = await appendBody(context, row, body, live, { holder, asked })
          return digest === undefined
            ? { status: 202, headers: sessionHeaders(grown) }
            : await commit(grown, digest, { ...asked, at: now() })
        } catch (error) {
          if (error instanceof Refusal && error.status === 403) {
            // What may not be kept is not kept for another try.
            const left = await findUpload(database, repository, id, asked.actor)
            if (left?.holder === holder.name) await discard(left)
          }
          if (!isKatmanError(error, 'OBJECT_LOST')) throw error
          const left = await find()
          // Another took it over, with the bytes; ours are gone because it has its own.
          if (left.holder !== holder.name) throw otherWriter()
          // Its bytes are gone, so nobody can go on with it: the client begins again.
          await discard(left)
          throw unknownUpload()
        }
      })
    },
  }
}

function otherBytes(digest: Digest): Refusal {
  return new Refusal(400, 'DIGEST_INVALID', 'provided digest did not match uploaded content', {
    detail: { digest },
  })
}

function tooManyOpen(): Refusal {
  return new Refusal(429, 'TOOMANYREQUESTS', `at most ${maxOpen} uploads are open at once`, {
    headers: { 'retry-after': '60' },
  })
}

function closingDigest({ query }: RegistryRequest): Digest {
  const text = query.get('digest')
  if (text !== null) return parseDigest(text)
  throw new Refusal(400, 'DIGEST_INVALID', 'the upload is closed without a digest')
}

function algorithmOf({ query }: RegistryRequest): DigestAlgorithm {
  const named = query.get('digest-algorithm')
  return named === 'sha512' || named === 'sha384' ? named : 'sha256'
}

/** A chunk must begin where the last one ended; then the session goes on as if it had not been sent. */
function checkPosition(request: RegistryRequest, row: UploadRow): void {
  const header = request.header('content-range')
  if (header === undefined) return
  const match = /^(?:bytes )?(\d{1,15})-(\d{1,15})(?:\/(?:\d{1,15}|\*))?$/.exec(header)
  const [start, last] = [Number(match?.[1] ?? NaN), Number(match?.[2] ?? NaN)]
  const length = readLength(request.header('content-length'))
  const isWhole = length === undefined || length === last - start + 1
  if (start === row.size && isWhole) return
  throw new Refusal(416, 'RANGE_INVALID', 'the chunk does not begin where the upload stands', {
    detail: { size: row.size },
    headers: sessionHeaders(row),
  })
}

function sessionHeaders(
  { id, repository, size }: UploadRow,
  position = size,
): Readonly<Record<string, string>> {
  return {
    location: `/v2/${repository}/blobs/uploads/${id}`,
    'docker-upload-uuid': id,
    range: `0-${Math.max(0, position - 1)}`,
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
