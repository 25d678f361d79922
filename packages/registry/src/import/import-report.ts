import type { Digest } from '@katman/oci'

/** What an import reports while it runs. */
export type ImportEvent =
  | { readonly type: 'repository'; readonly repository: string }
  | {
      readonly type: 'image'
      readonly repository: string
      /** Undefined for what has no tag. */
      readonly tag: string | undefined
      readonly digest: Digest
      /** What had to be brought in for it; 0 when everything was here. */
      readonly movedBlobs: number
      readonly movedBytes: number
    }
  | ({ readonly type: 'failed' } & ImportFailure)

export interface ImportFailure {
  readonly repository: string
  /** The tag or the digest; undefined when the repository as a whole could not be read. */
  readonly reference: string | undefined
  readonly code: string
  readonly message: string
}

/** What an import did. */
export interface ImportResult {
  readonly repositories: number
  readonly images: number
  readonly movedBlobs: number
  readonly movedBytes: number
  readonly failures: readonly ImportFailure[]
}

export interface ImportOptions {
  /** Which repositories, by patterns. Default: all. */
  readonly only?: readonly string[]
  /** Put before the names of all repositories. Default: nothing. */
  readonly prefix?: string
  /** Looks at what would be imported and changes nothing. Default false. */
  readonly dryRun?: boolean
  readonly onEvent?: (event: ImportEvent) => void
  readonly signal?: AbortSignal
}
