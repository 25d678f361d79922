import type { Digest } from './digest.ts'
import type { Platform } from './platform.ts'

/** A pointer to content by digest and size (image-spec descriptor.md). */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: Digest
  /** Size of the content in bytes, 0 to 2^53-1. */
  readonly size: number
  readonly platform?: Platform
  readonly annotations?: Readonly<Record<string, string>>
  readonly artifactType?: string
  /** Other places of a foreign layer. Never fetched unless the caller allows it. */
  readonly urls?: readonly string[]
  /** The content itself, base64, as the document had it. */
  readonly data?: string
}
