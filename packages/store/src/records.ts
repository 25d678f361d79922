import type { Descriptor, Digest, Platform } from '@katman/oci'

/**
 * One name of an image: what a file under `refs/` says. Names are canonical, with a tag
 * (`docker.io/library/alpine:3.20`) or a digest (`docker.io/library/alpine@sha256:…`), never both.
 */
export interface ReferenceRecord {
  readonly name: string
  /** What the name resolved to: an index, or a manifest. */
  readonly target: Descriptor
  /** The image the name shows: an image id, which is the digest of a config. */
  readonly image: Digest
  /** RFC 3339. */
  readonly updatedAt: string
  /** The place it came from, to fetch lost content again: a canonical name. */
  readonly from?: string
}

/** One image of one platform: what a file under `images/` says. Keeps its content from being collected. */
export interface ImageRecord {
  /** Digest of the config: docker's image id. */
  readonly id: Digest
  readonly manifest: Descriptor
  /** The index the manifest was chosen from, if any. */
  readonly index?: Descriptor
  readonly platform: Platform
  /** RFC 3339: when the image entered this store. */
  readonly addedAt: string
  /** RFC 3339: when `tag` last named it. */
  readonly lastTagTime?: string
  /** What lists show, so that they need not open the config. */
  readonly summary?: ImageSummary
  /** Where its content came from: canonical names without tag. */
  readonly from?: readonly string[]
}

/** Facts of a config that lists show. */
export interface ImageSummary {
  /** As the config has it. */
  readonly created?: string
  /** Bytes of all files of all layers. */
  readonly sizeBytes: number
}

/** One content that refers to another by its `subject`, or is attached to it by tags: what a file under `referrers/` says. */
export interface ReferrerRecord {
  readonly subject: Digest
  /** As a list of referrers gives it: with its artifact type and its annotations. */
  readonly descriptor: Descriptor
  /** The tags by which it is attached (`sha256-….sig`), each with the time it was given, RFC 3339. */
  readonly tags?: Readonly<Record<string, string>>
}
