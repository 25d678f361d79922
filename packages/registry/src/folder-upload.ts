import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import {
  type Bytes,
  type Digest,
  digestAlgorithm,
  type DigestAlgorithm,
  digestHex,
} from '@katman/oci'
import { publish } from './durable-file.ts'
import type { Upload } from './storage.ts'
import { UploadHash } from './upload-hash.ts'

interface FolderUploadOptions {
  readonly id: string
  readonly file: string
  readonly size: number
  /** Where the blob with this digest belongs. */
  readonly target: (digest: Digest) => string
  readonly onEnd: () => void
}

/** An upload in a file of its own, which becomes the blob by one rename. */
export class FolderUpload implements Upload {
  readonly id: string
  size: number
  readonly #options: FolderUploadOptions
  /** Undefined for a session begun by a process before this one: its bytes are read again. */
  readonly #hash: UploadHash | undefined

  constructor(options: FolderUploadOptions) {
    this.id = options.id
    this.size = options.size
    this.#options = options
    this.#hash = options.size === 0 ? new UploadHash() : undefined
  }

  async append(bytes: Bytes, algorithm: DigestAlgorithm): Promise<void> {
    const handle = await open(this.#options.file, 'r+')
    try {
      for await (const chunk of bytes) {
        for (let written = 0; written < chunk.byteLength;) {
          const rest = chunk.byteLength - written
          const { bytesWritten } = await handle.write(chunk, written, rest, this.size + written)
          written += bytesWritten
        }
        this.#hash?.update(chunk, algorithm)
        this.size += chunk.byteLength
      }
    } finally {
      // A write that failed may have left a part of its chunk.
      await handle.truncate(this.size)
      await handle.close()
    }
  }

  async commit(digest: Digest): Promise<boolean> {
    const { file, target, onEnd } = this.#options
    if (!(this.#hash?.matches(digest) ?? (await this.#hasDigest(digest)))) return false
    const handle = await open(file, 'r+')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
    await publish(file, target(digest))
    onEnd()
    return true
  }

  async discard(): Promise<void> {
    await rm(this.#options.file, { force: true })
    this.#options.onEnd()
  }

  async #hasDigest(digest: Digest): Promise<boolean> {
    const hash = createHash(digestAlgorithm(digest))
    for await (const chunk of createReadStream(this.#options.file)) hash.update(chunk)
    return hash.digest('hex') === digestHex(digest)
  }
}
