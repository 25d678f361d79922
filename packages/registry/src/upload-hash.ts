import { createHash, type Hash } from 'node:crypto'
import { type Digest, digestAlgorithm, type DigestAlgorithm, digestHex } from '@katman/oci'

/** Hashes an upload as it arrives. */
export class UploadHash {
  #hash: Hash | undefined
  #algorithm: DigestAlgorithm | undefined

  /** The first bytes choose the algorithm: the closing request may name another one. */
  update(chunk: Uint8Array, algorithm: DigestAlgorithm): void {
    this.#algorithm ??= algorithm
    this.#hash ??= createHash(this.#algorithm)
    this.#hash.update(chunk)
  }

  /** Whether the bytes so far have this digest; undefined when another algorithm was hashed. */
  matches(digest: Digest): boolean | undefined {
    const algorithm = digestAlgorithm(digest)
    if (this.#hash === undefined) return undefined
    if (this.#algorithm !== algorithm) return undefined
    return this.#hash.copy().digest('hex') === digestHex(digest)
  }
}

/** Whether bytes have this digest. */
export function hasDigest(bytes: Uint8Array, digest: Digest): boolean {
  return createHash(digestAlgorithm(digest)).update(bytes).digest('hex') === digestHex(digest)
}
