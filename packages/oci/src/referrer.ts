import type { Descriptor } from './descriptor.ts'
import { type Digest, digestAlgorithm, digestHex } from './digest.ts'
import type { Index, Manifest } from './manifest.ts'

/**
 * A manifest or index that refers to another, as a list of referrers gives it: with its type and its annotations
 * (distribution-spec, "Listing Referrers").
 */
export function describeReferrer(
  { mediaType, digest, size }: Pick<Descriptor, 'mediaType' | 'digest' | 'size'>,
  document: Manifest | Index,
): Descriptor {
  const fallback = document.kind === 'manifest' ? document.config.mediaType : undefined
  const artifactType = document.artifactType ?? fallback
  const { annotations } = document
  return {
    mediaType,
    digest,
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
  }
}

/**
 * The tag of the index that lists what refers to a content, in a place without an own list of referrers: the algorithm
 * and at most 64 hex digits (distribution-spec, "Referrers Tag Schema").
 */
export function referrersTag(subject: Digest): string {
  return `${digestAlgorithm(subject)}-${digestHex(subject).slice(0, 64)}`
}

/** What cosign attaches by tags instead of subjects. */
export const cosignTagKinds = ['sig', 'att', 'sbom'] as const

/** The tag under which cosign attaches signatures (`sig`), attestations (`att`) or an SBOM to a content. */
export function cosignTag(subject: Digest, kind: (typeof cosignTagKinds)[number]): string {
  return `${digestAlgorithm(subject)}-${digestHex(subject)}.${kind}`
}

/** True for a tag under which something is attached to an image: the list of its referrers, or what cosign tags. */
export function isAttachmentTag(tag: string): boolean {
  return /^sha(?:256|384|512)-[0-9a-f]{64,128}(?:\.(?:sig|att|sbom))?$/.test(tag)
}
