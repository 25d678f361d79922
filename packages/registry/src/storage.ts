import type { Bytes, Digest, DigestAlgorithm } from '@katman/oci'
import type { ByteRange } from './object-store.ts'

/** Where a registry keeps what it holds. Repositories begin to exist with their first content. */
export interface RegistryStorage {
  readonly blobs: BlobStorage
  readonly uploads: UploadStorage
  readonly manifests: ManifestStorage
  readonly tags: TagStorage
  /** The names of all repositories, sorted. */
  repositories(): Promise<readonly string[]>
}

/** Blobs belong to a repository: what one repository holds cannot be read through another. */
export interface BlobStorage {
  /** The size in bytes, undefined when the repository has no such blob. */
  size(repository: string, digest: Digest): Promise<number | undefined>
  /** The bytes from `start` up to and without `end`. */
  open(repository: string, digest: Digest, range: ByteRange): Bytes
  /** Gives a blob of the repository `from` to `repository` too. False when there is none. */
  mount(repository: string, digest: Digest, from: string): Promise<boolean>
  /** False when there was none. */
  delete(repository: string, digest: Digest): Promise<boolean>
}

export interface UploadStorage {
  create(repository: string): Promise<Upload>
  find(repository: string, id: string): Promise<Upload | undefined>
}

/** A blob on its way in. Nothing of it can be read before it is committed. */
export interface Upload {
  readonly id: string
  /** How many bytes have arrived. */
  readonly size: number
  /** Adds bytes at the end, hashing them. What arrived before `bytes` failed stays. */
  append(bytes: Bytes, algorithm: DigestAlgorithm): Promise<void>
  /** Makes the whole a blob if its digest is this; otherwise returns false and changes nothing. */
  commit(digest: Digest): Promise<boolean>
  discard(): Promise<void>
}

export interface StoredManifest {
  readonly digest: Digest
  readonly mediaType: string
  /** Exactly what was pushed. */
  readonly bytes: Uint8Array
}

export interface ManifestStorage {
  get(repository: string, digest: Digest): Promise<StoredManifest | undefined>
  /** `subject` is the manifest this one refers to, if any. */
  put(repository: string, manifest: StoredManifest, subject: Digest | undefined): Promise<void>
  /** False when there was none. Tags that point to it are left to the caller. */
  delete(repository: string, digest: Digest): Promise<boolean>
  /** The manifests that name `subject` as theirs, whether or not it exists. */
  referrers(repository: string, subject: Digest): Promise<readonly StoredManifest[]>
}

export interface TagStorage {
  get(repository: string, tag: string): Promise<Digest | undefined>
  set(repository: string, tag: string, digest: Digest): Promise<void>
  /** False when there was none. */
  delete(repository: string, tag: string): Promise<boolean>
  /** All tags, sorted. */
  list(repository: string): Promise<readonly string[]>
}
