import type { GetObjectCommandOutput, S3Client } from '@aws-sdk/client-s3'
import type { Bytes } from '@katman/oci'
import { KatmanError } from '@katman/oci'
import type { ByteRange, StoredObject } from '../object-store.ts'
import { isMissing, storageError } from './s3-error.ts'
import type { S3Settings } from './s3-settings.ts'

type Library = typeof import('@aws-sdk/client-s3')

/** A part that was stored, by what the server calls it. */
export type PartTag = string

const patienceMs = 15 * 60_000

/** The requests to one bucket. Each is tried again a few times before it fails with a coded error. */
export class S3Bucket {
  readonly #library: Library
  readonly #client: S3Client
  /** For what a server may do for minutes before it answers: to put many parts together. */
  readonly #patientClient: S3Client
  readonly #settings: S3Settings
  /** For links that lead clients to another address. */
  #linkClient: S3Client | undefined

  constructor(library: Library, settings: S3Settings) {
    this.#library = library
    this.#client = createClient(library, settings, settings.endpoint)
    const timeoutMs = Math.max(settings.timeoutMs, patienceMs)
    this.#patientClient = createClient(library, { ...settings, timeoutMs }, settings.endpoint)
    this.#settings = settings
  }

  async check(): Promise<void> {
    await guard(
      this.#client.send(new this.#library.HeadBucketCommand({ Bucket: this.#settings.bucket })),
    )
  }

  async put(name: string, body: Uint8Array): Promise<void> {
    await guard(
      this.#client.send(new this.#library.PutObjectCommand({ ...this.#at(name), Body: body })),
    )
  }

  /** Undefined when there is none. */
  async sizeOf(name: string): Promise<number | undefined> {
    const head = new this.#library.HeadObjectCommand(this.#at(name))
    const found = await orMissing(this.#client.send(head))
    return found?.ContentLength
  }

  /** Whether a multipart upload is there. */
  async hasParts(name: string, id: string): Promise<boolean> {
    const list = new this.#library.ListPartsCommand({
      ...this.#at(name),
      UploadId: id,
      MaxParts: 1,
    })
    return (await orMissing(this.#client.send(list))) !== undefined
  }

  /**
   * The bytes from `start` up to and without `end`. An answer that breaks off is continued where it ended.
   *
   * @throws KatmanError `OBJECT_LOST` when there are fewer.
   */
  async *read(name: string, { start, end }: ByteRange): Bytes {
    let at = start
    let failures = 0
    while (at < end) {
      const answer = await this.#get(name, at, end)
      const before = at
      try {
        for await (const chunk of bodyOf(answer)) {
          const wanted = chunk.subarray(0, end - at)
          at += wanted.byteLength
          if (wanted.byteLength > 0) yield wanted
        }
      } catch (error) {
        if (at > before) failures = 0
        failures += 1
        if (failures >= 5) throw storageError(error)
        continue
      }
      if (at === before) throw lost(name)
    }
  }

  async list(
    folder: string,
    take: (object: StoredObject) => void,
    token: string | undefined,
  ): Promise<string | undefined> {
    const prefix = this.#settings.prefix + folder
    const { bucket: Bucket } = this.#settings
    const page = await guard(
      this.#client.send(
        new this.#library.ListObjectsV2Command({
          Bucket,
          Prefix: prefix,
          ...(token === undefined ? {} : { ContinuationToken: token }),
        }),
      ),
    )
    for (const { Key: name, Size: size, LastModified: modified } of page.Contents ?? []) {
      if (name === undefined || size === undefined) continue
      take({ key: name.slice(prefix.length), size, modifiedAt: modified?.getTime() ?? 0 })
    }
    return page.IsTruncated === true ? page.NextContinuationToken : undefined
  }

  /** Not there is fine. */
  async delete(names: readonly string[]): Promise<void> {
    // The most that one request may name.
    for (let at = 0; at < names.length; at += 1000) {
      const objects = names
        .slice(at, at + 1000)
        .map((name) => ({ Key: this.#settings.prefix + name }))
      const { bucket: Bucket } = this.#settings
      const answer = await guard(
        this.#client.send(
          new this.#library.DeleteObjectsCommand({
            Bucket,
            Delete: { Objects: objects, Quiet: true },
          }),
        ),
      )
      const failed = answer.Errors?.find(({ Code: code }) => code !== 'NoSuchKey')
      if (failed !== undefined) {
        throw new KatmanError(
          'STORAGE_FAILED',
          `the object storage did not delete: ${failed.Code}`,
          {
            hint: 'check what the key may do with the bucket',
          },
        )
      }
    }
  }

  async beginParts(name: string): Promise<string> {
    const create = new this.#library.CreateMultipartUploadCommand(this.#at(name))
    const { UploadId: id } = await guard(this.#client.send(create))
    return present(id)
  }

  /** `number` is from 1 on; a part that was there under it is replaced. */
  async putPart(name: string, id: string, number: number, body: Uint8Array): Promise<PartTag> {
    const put = new this.#library.UploadPartCommand({
      ...this.#at(name),
      UploadId: id,
      PartNumber: number,
      Body: body,
    })
    return unquote((await guard(this.#client.send(put))).ETag)
  }

  /** A part whose bytes the server takes from an object. */
  async copyPart(
    name: string,
    id: string,
    number: number,
    { start, end }: ByteRange,
  ): Promise<PartTag> {
    const { bucket, prefix } = this.#settings
    const copy = new this.#library.UploadPartCopyCommand({
      ...this.#at(name),
      UploadId: id,
      PartNumber: number,
      CopySource: encodeURI(`${bucket}/${prefix}${name}`),
      CopySourceRange: `bytes=${start}-${end - 1}`,
    })
    return unquote((await guard(this.#patientClient.send(copy))).CopyPartResult?.ETag)
  }

  /** False when there is no such upload (any more), or one of its parts is not the one we stored. */
  async finishParts(name: string, id: string, parts: readonly PartTag[]): Promise<boolean> {
    const complete = new this.#library.CompleteMultipartUploadCommand({
      ...this.#at(name),
      UploadId: id,
      MultipartUpload: {
        Parts: parts.map((tag, at) => ({ ETag: `"${tag}"`, PartNumber: at + 1 })),
      },
    })
    return (await orMissing(this.#patientClient.send(complete))) !== undefined
  }

  async abortParts(name: string, id: string): Promise<void> {
    const abort = new this.#library.AbortMultipartUploadCommand({ ...this.#at(name), UploadId: id })
    await orMissing(this.#client.send(abort))
  }

  async link(name: string, expiresSeconds: number, contentType: string): Promise<string> {
    const { getSignedUrl } = await import('@aws-sdk/s3-request-presigner')
    const { linkEndpoint } = this.#settings
    this.#linkClient ??=
      linkEndpoint === undefined
        ? this.#client
        : createClient(this.#library, this.#settings, linkEndpoint)
    const get = new this.#library.GetObjectCommand({
      ...this.#at(name),
      ResponseContentType: contentType,
    })
    return getSignedUrl(this.#linkClient, get, { expiresIn: expiresSeconds })
  }

  async #get(name: string, start: number, end: number): Promise<GetObjectCommandOutput> {
    const get = new this.#library.GetObjectCommand({
      ...this.#at(name),
      Range: `bytes=${start}-${end - 1}`,
    })
    try {
      const answer = await this.#client.send(get)
      if (start === 0 || answer.ContentRange?.startsWith(`bytes ${start}-`) === true) return answer
      throw new KatmanError(
        'STORAGE_FAILED',
        'the object storage sent other bytes than it was asked for',
        {
          hint: 'check that it and what is before it know ranges',
        },
      )
    } catch (error) {
      const isShort = error instanceof Error && error.name === 'InvalidRange'
      throw isMissing(error) || isShort ? lost(name) : storageError(error)
    }
  }

  #at(name: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#settings.bucket, Key: this.#settings.prefix + name }
  }
}

function createClient(
  library: Library,
  { region, isPathStyle, credentials, timeoutMs, attempts }: S3Settings,
  endpoint: string | undefined,
): S3Client {
  return new library.S3Client({
    region,
    forcePathStyle: isPathStyle,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
    // Waits before each new try twice as long as before the last, longer when it is told to slow down.
    maxAttempts: attempts,
    // Bodies are signed with their hash, and blobs have their digest; older servers know no other sums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: Math.min(5000, timeoutMs),
      requestTimeout: timeoutMs,
      throwOnRequestTimeout: true,
      socketTimeout: timeoutMs,
      httpAgent: { keepAlive: true, maxSockets: 256 },
      httpsAgent: { keepAlive: true, maxSockets: 256 },
    },
  })
}

/** Whoever stops reading ends the connection. */
function bodyOf({ Body: body }: GetObjectCommandOutput): AsyncIterable<Uint8Array> {
  if (body === undefined || !(Symbol.asyncIterator in body)) throw lost('an empty answer')
  // In Node it is a stream of the socket.
  return body as AsyncIterable<Uint8Array>
}

async function guard<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw storageError(error)
  }
}

async function orMissing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (isMissing(error)) return undefined
    throw storageError(error)
  }
}

function unquote(tag: string | undefined): PartTag {
  return present(tag).replaceAll('"', '')
}

function present(text: string | undefined): string {
  if (text !== undefined && text !== '') return text
  throw new KatmanError(
    'STORAGE_FAILED',
    'the object storage gave an answer without what it is about',
    {
      hint: 'check that it speaks S3',
    },
  )
}

export function lost(name: string): KatmanError {
  return new KatmanError('OBJECT_LOST', `bytes of ${name} are not in the object storage`, {
    hint: 'push it again; check who else writes to the bucket',
  })
}
