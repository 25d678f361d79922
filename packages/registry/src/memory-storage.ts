import { randomUUID } from 'node:crypto'
import type { Bytes, Digest, DigestAlgorithm } from '@katman/oci'
import type { RegistryStorage, StoredManifest, Upload } from './storage.ts'
import { hasDigest, UploadHash } from './upload-hash.ts'

interface Repository {
  readonly blobs: Map<Digest, Uint8Array>
  readonly manifests: Map<Digest, MemoryManifest>
  readonly tags: Map<string, Digest>
}

interface MemoryManifest extends StoredManifest {
  readonly subject: Digest | undefined
}

/** Keeps everything in this process: for tests and demonstrations. */
export function openMemoryStorage(): RegistryStorage {
  const repositories = new Map<string, Repository>()
  const uploads = new Map<string, Upload>()

  function repositoryOf(name: string): Repository {
    const found = repositories.get(name)
    if (found !== undefined) return found
    const made: Repository = { blobs: new Map(), manifests: new Map(), tags: new Map() }
    repositories.set(name, made)
    return made
  }

  return {
    blobs: {
      async size(repository, digest) {
        return repositories.get(repository)?.blobs.get(digest)?.byteLength
      },
      async *open(repository, digest, { start, end }) {
        const bytes = repositories.get(repository)?.blobs.get(digest)
        if (bytes !== undefined && end > start) yield bytes.subarray(start, end)
      },
      async mount(repository, digest, from) {
        const bytes = repositories.get(from)?.blobs.get(digest)
        if (bytes !== undefined) repositoryOf(repository).blobs.set(digest, bytes)
        return bytes !== undefined
      },
      async delete(repository, digest) {
        return repositories.get(repository)?.blobs.delete(digest) ?? false
      },
    },
    uploads: {
      async create(repository) {
        const id = randomUUID()
        const upload = new MemoryUpload(id, (digest, bytes) => {
          uploads.delete(`${repository}:${id}`)
          if (digest !== undefined) repositoryOf(repository).blobs.set(digest, bytes)
        })
        uploads.set(`${repository}:${id}`, upload)
        return upload
      },
      async find(repository, id) {
        return uploads.get(`${repository}:${id}`)
      },
    },
    manifests: {
      async get(repository, digest) {
        return repositories.get(repository)?.manifests.get(digest)
      },
      async put(repository, manifest, subject) {
        repositoryOf(repository).manifests.set(manifest.digest, { ...manifest, subject })
      },
      async delete(repository, digest) {
        return repositories.get(repository)?.manifests.delete(digest) ?? false
      },
      async referrers(repository, subject) {
        const all = repositories.get(repository)?.manifests.values() ?? []
        return [...all].filter((manifest) => manifest.subject === subject)
      },
    },
    tags: {
      async get(repository, tag) {
        return repositories.get(repository)?.tags.get(tag)
      },
      async set(repository, tag, digest) {
        repositoryOf(repository).tags.set(tag, digest)
      },
      async delete(repository, tag) {
        return repositories.get(repository)?.tags.delete(tag) ?? false
      },
      async list(repository) {
        return [...(repositories.get(repository)?.tags.keys() ?? [])].toSorted()
      },
    },
    async repositories() {
      return [...repositories.keys()].toSorted()
    },
  }
}

class MemoryUpload implements Upload {
  readonly id: string
  size = 0
  readonly #end: (digest: Digest | undefined, bytes: Uint8Array) => void
  readonly #chunks: Uint8Array[] = []
  readonly #hash = new UploadHash()

  constructor(id: string, end: (digest: Digest | undefined, bytes: Uint8Array) => void) {
    this.id = id
    this.#end = end
  }

  async append(bytes: Bytes, algorithm: DigestAlgorithm): Promise<void> {
    for await (const chunk of bytes) {
      this.#hash.update(chunk, algorithm)
      this.#chunks.push(chunk)
      this.size += chunk.byteLength
    }
  }

  async commit(digest: Digest): Promise<boolean> {
    const bytes = Buffer.concat(this.#chunks)
    if (!(this.#hash.matches(digest) ?? hasDigest(bytes, digest))) return false
    this.#end(digest, bytes)
    return true
  }

  async discard(): Promise<void> {
    this.#end(undefined, new Uint8Array())
  }
}
