import type { Bytes, Descriptor, Digest } from '@katman/oci'

/** What every call that may wait takes. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

export interface OpenOptions extends CallOptions {
  /** First byte wanted. Default 0. */
  readonly start?: number
}

/**
 * A place content can be read from: a registry repository, the local store, an OCI layout.
 * Bytes come as the place has them: the reader verifies.
 */
export interface Source {
  /** What messages call the place: `registry 127.0.0.1:5000/library/alpine`. */
  readonly name: string
  /**
   * Finds what a tag or digest of this place points to. Throws `MANIFEST_UNKNOWN` when there is none.
   */
  resolve(reference: string, options?: CallOptions): Promise<Descriptor>
  /**
   * Opens content from byte `start`. Throws `BLOB_UNKNOWN` or `MANIFEST_UNKNOWN` when the place lacks it.
   * The stream may fail or end early; {@link Target.write} and {@link readVerified} notice.
   */
  open(descriptor: Descriptor, options?: OpenOptions): Promise<Bytes>
}

/** How far a write has come. `bytes` counts from the start of the content, of `descriptor.size`. */
export type WriteProgress =
  | { readonly state: 'receiving'; readonly bytes: number }
  | { readonly state: 'verifying' }
  | { readonly state: 'received' }
  /** The target took it from another of its repositories: nothing moved. */
  | { readonly state: 'mounted'; readonly from: string }
  | { readonly state: 'indexing'; readonly bytes: number }

export interface ContentOptions extends CallOptions {
  /** Digest of the uncompressed layer, from the config: a target that keeps layers checks it too. */
  readonly diffID?: Digest | undefined
}

export interface WriteOptions extends ContentOptions {
  readonly onProgress?: ((progress: WriteProgress) => void) | undefined
}

/** Opens the content to write from byte `start`, so that a target can go on where it stopped. */
export type Opener = (start: number) => Promise<Bytes>

/** A place content can be written to. */
export interface Target {
  readonly name: string
  /**
   * True when the content is there and needs no write. With `diffID`, also that the layer it unpacks to is
   * known and verified. From here on the target keeps the content until it is closed.
   */
  has(descriptor: Descriptor, options?: ContentOptions): Promise<boolean>
  /**
   * Stores content and resolves when size and digest (and diffID, if given) are verified and it is durable.
   * Nothing is visible under the digest before. Writing what is there already is fine.
   * Throws `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `LAYER_CONTENT_MISMATCH`, or what `open` throws.
   */
  write(descriptor: Descriptor, open: Opener, options?: WriteOptions): Promise<void>
}

/** A target that can name what it holds. */
export interface NamingTarget extends Target {
  /** Lets `tag` point to content that was written before. Replaces an older meaning of the name. */
  tag(tag: string, descriptor: Descriptor, options?: CallOptions): Promise<void>
}

/** True for a target that can name what it holds. */
export function isNamingTarget(target: Target): target is NamingTarget {
  return 'tag' in target && typeof target.tag === 'function'
}

/** A target that can say what a name stands for at it, so that a copy that was made before is seen by one question. */
export interface TagReader {
  /** The digest that the tag stands for; undefined when there is no such tag, or the target does not tell. */
  readTag(tag: string, options?: CallOptions): Promise<Digest | undefined>
}

/** True for a target that can say what its tags stand for. */
export function isTagReader(target: object): target is TagReader {
  return 'readTag' in target && typeof target.readTag === 'function'
}

export interface ReferrersOptions extends CallOptions {
  /** Only what has this type. Default: all. */
  readonly artifactType?: string | undefined
}

/** A source that knows what refers to its content: signatures, SBOMs, attestations. */
export interface ReferrerSource {
  /**
   * The manifests and indexes that name `subject` as theirs, with their artifact type and annotations; none is no
   * error (distribution-spec, "Listing Referrers"). A target that is a source of referrers lists what was written to it.
   */
  referrers(
    subject: Pick<Descriptor, 'digest'>,
    options?: ReferrersOptions,
  ): Promise<readonly Descriptor[]>
}

/** True for a place that knows what refers to its content. */
export function isReferrerSource(place: object): place is ReferrerSource {
  return 'referrers' in place && typeof place.referrers === 'function'
}
