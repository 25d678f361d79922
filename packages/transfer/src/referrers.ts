import { createHash } from 'node:crypto'
import {
  type Descriptor,
  describeReferrer,
  type Digest,
  indexJson,
  isIndexType,
  isManifestType,
  KatmanError,
  mediaTypes,
  parseDigest,
  parseManifest,
} from '@katman/oci'

/** That a content refers to another: its subject, and itself as a list of referrers gives it. */
export interface ReferrerFact {
  readonly subject: Descriptor
  readonly referrer: Descriptor
}

/** What a content refers to; undefined for content without a subject, or that is no manifest. */
export function referrerFactOf(
  descriptor: Descriptor,
  bytes: Uint8Array,
): ReferrerFact | undefined {
  if (!isIndexType(descriptor.mediaType) && !isManifestType(descriptor.mediaType)) return undefined
  try {
    const document = parseManifest(bytes, descriptor.mediaType)
    if (document.subject === undefined) return undefined
    return { subject: document.subject, referrer: describeReferrer(descriptor, document) }
  } catch (error) {
    // Content that claims to be a manifest may be anything: then it refers to nothing.
    if (error instanceof KatmanError) return undefined
    throw error
  }
}

/** Those of a type, each once; all without a type. */
export function referrersOfType(
  referrers: readonly Descriptor[],
  artifactType: string | undefined,
): readonly Descriptor[] {
  const found = new Map<Digest, Descriptor>()
  for (const referrer of referrers) {
    const fits = artifactType === undefined || referrer.artifactType === artifactType
    if (fits && !found.has(referrer.digest)) found.set(referrer.digest, referrer)
  }
  return [...found.values()]
}

/**
 * The index that lists referrers where only tags can be listed (distribution-spec, "Referrers Tag Schema"), with the
 * digest it has.
 */
export function encodeReferrersIndex(referrers: readonly Descriptor[]): {
  readonly descriptor: Descriptor
  readonly bytes: Uint8Array
} {
  const mediaType = mediaTypes.ociIndex
  const bytes = Buffer.from(JSON.stringify(indexJson({ mediaType, manifests: referrers })))
  const digest = parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
  return { descriptor: { mediaType, digest, size: bytes.byteLength }, bytes }
}
