import type { Platform, Reference } from '@katman/oci'
import type { TagChoice } from './tag-choice.ts'

/** One repository, or one image of it, that is kept in step with another. */
export interface SyncEntry {
  readonly line: number
  /** A repository. */
  readonly source: Reference
  /** A repository; with a tag when one image is given another. */
  readonly target: Reference
  /** One image, by tag or digest, or which tags. */
  readonly images: { readonly reference: string } | TagChoice
  /** Of an index only these. Empty: all. */
  readonly platforms: readonly Platform[]
  readonly referrers: boolean
}

export interface SyncFile {
  readonly entries: readonly SyncEntry[]
  /** Registries where plain http and unverified TLS are allowed. */
  readonly insecure: readonly string[]
}

export interface ReadOptions {
  /** The name of the file, for messages. */
  readonly file: string
  /** Where a file of skopeo's goes: registry and path. */
  readonly destination: string | undefined
  /** Keep the whole source name below the destination. */
  readonly scoped: boolean
}
