import type { Digest } from '@katman/oci'

const maxBytes = 16 * 1024 * 1024

/** Documents by digest, the oldest forgotten beyond 16 MiB. Only verified bytes may be put in. */
export interface DocumentCache {
  get(digest: Digest): Uint8Array | undefined
  set(digest: Digest, bytes: Uint8Array): void
}

/** Makes an empty cache. */
export function createDocumentCache(): DocumentCache {
  const documents = new Map<Digest, Uint8Array>()
  let size = 0
  return {
    get: (digest) => documents.get(digest),
    set(digest, bytes) {
      if (documents.has(digest)) return
      documents.set(digest, bytes)
      size += bytes.byteLength
      for (const [oldest, content] of documents) {
        if (size <= maxBytes) break
        documents.delete(oldest)
        size -= content.byteLength
      }
    },
  }
}
