import { createHash, type Hash } from 'node:crypto'
import {
  type Bytes,
  type Digest,
  digestAlgorithm,
  type DigestAlgorithm,
  digestHex,
  parseDigest,
} from '@katman/oci'

/** Hashes an upload as it arrives. */
export class UploadHash {
  readonly #algorithm: DigestAlgorithm
  readonly #hash: Hash

  /** The closing request may name another algorithm; then the bytes are read again. */
  constructor(algorithm: DigestAlgorithm) {
    this.#algorithm = algorithm
    this.#hash = createHash(algorithm)
  }

  update(chunk: Uint8Array): void {
    this.#hash.update(chunk)
  }

  /** Of the bytes so far. */
  digest(): Digest {
    return parseDigest(`${this.#algorithm}:${this.#hash.copy().digest('hex')}`)
  }
}

/** Whether bytes have this digest. */
export async function hasDigest(bytes: Bytes | Uint8Array, digest: Digest): Promise<boolean> {
  const hash = createHash(digestAlgorithm(digest))
  if (bytes instanceof Uint8Array) hash.update(bytes)
  else for await (const chunk of bytes) hash.update(chunk)
  return hash.digest('hex') === digestHex(digest)
}
