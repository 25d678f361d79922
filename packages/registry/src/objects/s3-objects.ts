import { randomUUID } from 'node:crypto'
import type { Bytes } from '@katman/oci'
import type { ByteRange, ObjectStore, ObjectUpload, StoredObject } from '../object-store.ts'
import { S3Bucket } from './s3-bucket.ts'
import { parseS3Url } from './s3-settings.ts'
import { createPartMemory } from './s3-part-memory.ts'
import { S3Upload } from './s3-upload.ts'
import { RecentTails } from './s3-tails.ts'

/** The folder of finished objects in the bucket. */
const blobs = 'blobs/'

/**
 * Objects in a bucket of Amazon S3 or a server that speaks like it. An object is written once, at its final name; a large
 * one in parts, whichever process takes the next bytes.
 *
 * @throws KatmanError `STORAGE_URL_INVALID` (see `parseS3Url`), `STORAGE_UNAVAILABLE`, `STORAGE_FAILED`.
 */
export async function openS3Objects(url: string): Promise<ObjectStore> {
  const settings = parseS3Url(url)
  const bucket = new S3Bucket(await import('@aws-sdk/client-s3'), settings)
  await bucket.check()
  const shared = { bucket, recent: new RecentTails(), memory: createPartMemory() }
  const nameOf = (key: string) => blobs + checkKey(key)
  const uploadOf = (upload: ObjectUpload) =>
    new S3Upload(shared, nameOf(upload.key), upload, randomUUID)
  return {
    async begin(key) {
      checkKey(key)
      return { key, size: 0, detail: {} }
    },
    append: (upload, bytes) => uploadOf(upload).append(bytes),
    async *readUpload(upload) {
      // S3 gives back no part of an unfinished object, so it is finished; `append` can begin it again.
      await uploadOf(upload).complete()
      yield* bucket.read(nameOf(upload.key), { start: 0, end: upload.size })
    },
    finish: (upload) => uploadOf(upload).finish(),
    abort: (upload) => uploadOf(upload).abort(),
    open: (key, range: ByteRange): Bytes => bucket.read(nameOf(key), range),
    delete: (keys) => bucket.delete(keys.map(nameOf)),
    list: () => listObjects(bucket),
    check: () => bucket.check(),
    linkTo: (key, { expiresSeconds, contentType }) =>
      bucket.link(nameOf(key), expiresSeconds, contentType),
  }
}

async function* listObjects(bucket: S3Bucket): AsyncIterable<StoredObject> {
  let token: string | undefined
  do {
    const page: StoredObject[] = []
    token = await bucket.list(blobs, (object) => page.push(object), token)
    yield* page
  } while (token !== undefined)
}

function checkKey(key: string): string {
  if (/^[0-9a-f-]{1,100}$/.test(key)) return key
  throw new TypeError(`no key of an object: ${JSON.stringify(key.slice(0, 100))}`)
}
