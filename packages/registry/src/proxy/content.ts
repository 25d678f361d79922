import type { Bytes, Descriptor, Digest } from '@katman/oci'
import type { ByteRange } from '../object-store.ts'

interface StoredManifest {
  readonly digest: Digest
  readonly mediaType: string
  /** Exactly what was pushed. */
  readonly bytes: Uint8Array
}

/**
 * What the registry holds, for its own work: the cache, replication, imports. Rights were checked before. Everything that
 * is written is told to the listeners, which may refuse it.
 */
export interface Content {
  /** The manifest that a tag or a digest stands for. */
  manifest(repository: string, reference: Digest | string): Promise<StoredManifest | undefined>
  /** The digest that a tag stands for. */
  tag(repository: string, tag: string): Promise<Digest | undefined>
  /** All tags, sorted. */
  tags(repository: string): Promise<readonly string[]>
  /** What names a manifest as its subject. */
  referrers(repository: string, subject: Digest): Promise<readonly Descriptor[]>
  /**
   * Stores a manifest, whose bytes have this digest, and lets the tag stand for it. Whether what it names is there is not
   * looked at: the copy engine writes it last, and what a cache lacks it fetches when it is asked for.
   */
  putManifest(
    repository: string,
    manifest: StoredManifest,
    options?: { readonly tag?: string | undefined },
  ): Promise<void>
  /** Removes a manifest and its tags. False when there was none. */
  deleteManifest(repository: string, digest: Digest): Promise<boolean>
  /** False when there was none. */
  deleteTag(repository: string, tag: string): Promise<boolean>
  /** The size of a blob that the repository has. */
  blobSize(repository: string, digest: Digest): Promise<number | undefined>
  /** The size that a manifest of the repository gives for a blob, whether or not that is there. */
  namedSize(repository: string, digest: Digest): Promise<number | undefined>
  openBlob(repository: string, digest: Digest, range: ByteRange): Bytes
  /**
   * Stores a blob and gives it to the repository. Reading `open` verifies the bytes, and they are read whole before the
   * repository gets anything: who knows only a digest gets nothing for it. With `file`, a file that holds them, was verified
   * already and may become the registry's own; nothing need be read then.
   */
  putBlob(
    repository: string,
    blob: { readonly digest: Digest; readonly size: number },
    open: () => Bytes,
    file?: string,
  ): Promise<void>
}
