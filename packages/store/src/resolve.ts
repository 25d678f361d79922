import { type Descriptor, type Digest, isAttachmentTag, isDigest, KatmanError } from '@katman/oci'
import { readAttachment } from './attachment-tags.ts'
import { readDocument } from './blobs.ts'
import type { StoreContext } from './context.ts'
import { readImages } from './image-files.ts'
import { readReference, readReferences } from './reference-files.ts'

/** {@link Source.resolve} of the store: a canonical name, a digest of content that is here, or a tag of cosign's. */
export function resolveName(context: StoreContext, reference: string): Descriptor {
  const found = isDigest(reference)
    ? resolveDigest(context, reference)
    : isAttachmentTag(reference)
      ? readAttachment(context, reference)
      : readReference(context, reference)?.target
  if (found !== undefined) return found
  throw new KatmanError('MANIFEST_UNKNOWN', `${context.name}: no manifest for ${reference}`, {
    details: { reference, root: context.layout.root },
  })
}

function resolveDigest(context: StoreContext, digest: Digest): Descriptor | undefined {
  const facts = context.files.stat(context.layout.blob(digest))
  if (facts === undefined) return undefined
  const known = [
    ...readReferences(context).map((record) => record.target),
    ...readImages(context).flatMap((image) => [image.manifest, image.index ?? []].flat()),
  ].find((descriptor) => descriptor.digest === digest)
  if (known !== undefined) return known
  return { mediaType: mediaTypeOf(context, digest), digest, size: facts.size }
}

/** Manifests and indexes may say what they are; nothing else here does. */
export function mediaTypeOf(context: StoreContext, digest: Digest): string {
  const bytes = readDocument(context, digest)
  try {
    const document: unknown =
      bytes === undefined ? undefined : JSON.parse(Buffer.from(bytes).toString('utf8'))
    const type = (document as { mediaType?: unknown } | null | undefined)?.mediaType
    if (typeof type === 'string') return type
  } catch {
    // Not JSON: a layer, or anything else.
  }
  return 'application/octet-stream'
}
