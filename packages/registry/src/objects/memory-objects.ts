import { type Bytes, KatmanError } from '@katman/oci'
import type { ByteRange, ObjectStore, ObjectUpload, StoredObject } from '../object-store.ts'

/** Objects in this process: for tests and demonstrations. */
export function openMemoryObjects(): ObjectStore {
  const unfinished = new Map<string, Uint8Array[]>()
  const finished = new Map<string, { readonly bytes: Buffer; readonly modifiedAt: number }>()

  function* piecesOf({ key, size }: ObjectUpload): Iterable<Uint8Array> {
    let left = size
    for (const chunk of unfinished.get(key) ?? []) {
      yield chunk.subarray(0, left)
      left -= Math.min(left, chunk.byteLength)
    }
  }

  return {
    checkpointMs: 1000,
    async begin(key) {
      unfinished.set(key, [])
      return { key, size: 0, detail: {} }
    },
    async append(upload, bytes) {
      const chunks = [...piecesOf(upload)].filter(({ byteLength }) => byteLength > 0)
      let { size } = upload
      let failure: unknown
      try {
        for await (const chunk of bytes) {
          chunks.push(Buffer.from(chunk))
          size += chunk.byteLength
        }
      } catch (error) {
        failure = error
      }
      unfinished.set(upload.key, chunks)
      const advanced = { ...upload, size }
      return failure === undefined ? { upload: advanced } : { upload: advanced, failure }
    },
    async *readUpload(upload): Bytes {
      yield* piecesOf(upload)
    },
    async finish(upload) {
      if (!unfinished.has(upload.key) && finished.has(upload.key)) return
      finished.set(upload.key, {
        bytes: Buffer.concat([...piecesOf(upload)]),
        modifiedAt: Date.now(),
      })
      unfinished.delete(upload.key)
    },
    async abort({ key }) {
      unfinished.delete(key)
      finished.delete(key)
    },
    async *open(key, { start, end }: ByteRange): Bytes {
      const object = finished.get(key)
      if (object === undefined || object.bytes.byteLength < end) throw lost(key)
      if (start < end) yield object.bytes.subarray(start, end)
    },
    async delete(keys) {
      for (const key of keys) finished.delete(key)
    },
    async *list(): AsyncIterable<StoredObject> {
      for (const [key, { bytes, modifiedAt }] of finished)
        yield { key, size: bytes.byteLength, modifiedAt }
    },
  }
}

function lost(key: string): KatmanError {
  return new KatmanError('OBJECT_LOST', `bytes of ${key} are not there`, {
    hint: 'push what it was part of again',
  })
}
