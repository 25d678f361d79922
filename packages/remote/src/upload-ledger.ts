import type { Digest } from '@katman/oci'

/** Which upload. */
interface UploadName {
  /** The host the blob goes to. */
  readonly registry: string
  readonly repository: string
  readonly digest: Digest
}

/** Remembers unfinished uploads, so that the next process goes on with them. Nothing it says is trusted. */
export interface UploadLedger {
  /** The entry of an upload, for its owner alone; undefined when another process works on the same. */
  take(upload: UploadName): Promise<UploadEntry | undefined>
}

export interface UploadEntry {
  /** Where the registry wanted the rest, when an earlier process was stopped. */
  readonly location: string | undefined
  remember(location: string): Promise<void>
  /** Gives the entry up; `keep` leaves it for the next process. */
  release(options: { readonly keep: boolean }): Promise<void>
}
