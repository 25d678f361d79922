import { createHash } from 'node:crypto'
import { type Bytes, type Descriptor, digestAlgorithm, digestHex } from '@katman/oci'
import { digestMismatch, type Opener, sizeMismatch } from '@katman/transfer'

/** The content of an upload, read in pieces and more than once. */
export interface UploadSource {
  /**
   * The bytes from `start` up to `end`. The last ones are held back until the digest of all is known to be right.
   * Throws `SIZE_MISMATCH`, `DIGEST_MISMATCH`, or what the content's own place throws.
   */
  read(start: number, end: number): Bytes
  /** What reading failed with; undefined when it did not. No other try of the upload would help then. */
  failure(): unknown
}

export interface UploadSourceOptions {
  readonly descriptor: Descriptor
  readonly open: Opener
  /** What messages call the place the content goes to. */
  readonly name: string
  /** Told how far the bytes have been taken. */
  readonly onSent: (bytes: number) => void
}

/**
 * Each byte is hashed once, the first time it is read. What an earlier process has sent is not read again: then the
 * registry alone compares the digest.
 */
export function createUploadSource(options: UploadSourceOptions): UploadSource {
  const { descriptor, open, name, onSent } = options
  const { size, digest } = descriptor
  const hash = createHash(digestAlgorithm(digest))
  /** So many bytes from the first on are hashed. */
  let hashed = 0
  let isChecked = false
  let failure: unknown

  function learn(chunk: Uint8Array, at: number): void {
    const end = at + chunk.byteLength
    if (at <= hashed && end > hashed) {
      hash.update(chunk.subarray(hashed - at))
      hashed = end
    }
    if (hashed < size || isChecked) return
    isChecked = true
    const actual = hash.digest('hex')
    if (actual !== digestHex(digest)) throw digestMismatch(descriptor, actual, name)
  }

  async function* read(start: number, end: number): Bytes {
    let at = start
    if (size === 0) learn(new Uint8Array(), 0)
    for await (const piece of await open(start)) {
      if (at + piece.byteLength > size) throw sizeMismatch(descriptor, at + piece.byteLength, name)
      const chunk = piece.subarray(0, end - at)
      learn(chunk, at)
      at += chunk.byteLength
      yield chunk
      onSent(at)
      if (at === end && end < size) return
    }
    if (at < end) throw sizeMismatch(descriptor, at, name)
  }

  return {
    async *read(start, end) {
      try {
        yield* read(start, end)
      } catch (error) {
        failure = error
        throw error
      }
    },
    failure: () => failure,
  }
}
