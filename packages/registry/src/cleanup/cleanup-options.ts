/** What a server's configuration says of clean-up. Times in milliseconds. */
export interface CleanupOptions {
  /** How often it looks for garbage. Default 5 s. */
  readonly everyMs?: number
  /** From when something may have become garbage to the first look. Default a day. */
  readonly reviewAfterMs?: number
  /** How long a blob that nobody holds can still be brought back by an upload. Default 15 minutes. */
  readonly condemnedMs?: number
  /** What has no tag goes after so long. Default: never. */
  readonly untaggedMs?: number
  /** Whether signatures and the like go when what they belong to is gone and untagged manifests go. Default true. */
  readonly areReferrersRemoved?: boolean
  /** What is deleted can come back for so long. Default 0: not at all. */
  readonly undeleteMs?: number
  /** An upload that nobody goes on with is given up after so long. Default 7 days. */
  readonly uploadsMs?: number
  /** How often the retention policies are applied. Default a day. */
  readonly retentionEveryMs?: number
  /** How often all blobs are read and compared with their digests. Default: only when asked. */
  readonly scrubEveryMs?: number
  /** Default 50,000,000. */
  readonly scrubBytesPerSecond?: number
}
