import { type Descriptor, type Digest, isDigest, KatmanError } from '@katman/oci'
import type { StoreContext } from './context.ts'
import { readTagged, writeReferrer } from './referrer-files.ts'
import { hasContent } from './write.ts'

/**
 * {@link Store.tag}: a fact beside those about referrers, so that a collection keeps both as long as the subject is kept.
 * An older meaning of the tag stays beside it until then, and loses by its time: of two processes neither can take the
 * other's away.
 */
export async function tagAttachment(
  context: StoreContext,
  tag: string,
  descriptor: Descriptor,
): Promise<void> {
  const subject = subjectOf(tag)
  if (subject === undefined) {
    throw new KatmanError(
      'REFERENCE_INVALID',
      `${context.name}: ${tag} is attached to no content`,
      {
        hint: 'such a tag is sha256-HEX.sig, .att or .sbom',
        details: { reference: tag },
      },
    )
  }
  if (!(await hasContent(context, descriptor))) {
    throw new KatmanError(
      'CONTENT_INCOMPLETE',
      `${context.name}: ${descriptor.digest} is missing`,
      {
        details: { digest: descriptor.digest },
      },
    )
  }
  const tagged = readTagged(context, subject)
  const known = tagged.find((one) => one.descriptor.digest === descriptor.digest)
  const times = tagged.flatMap(({ tags }) => Date.parse(tags?.[tag] ?? '') || [])
  // Later than what is known, whatever the clock says.
  const time = Math.max(context.now().getTime(), ...times.map((one) => one + 1))
  const tags = { ...known?.tags, [tag]: new Date(time).toISOString() }
  await writeReferrer(context, { subject, descriptor, tags })
}

/** What a tag of cosign's stands for: the latest that is here. */
export function readAttachment(context: StoreContext, tag: string): Descriptor | undefined {
  const subject = subjectOf(tag)
  if (subject === undefined) return undefined
  const [latest] = readTagged(context, subject)
    .filter(
      ({ descriptor, tags }) =>
        tags?.[tag] !== undefined &&
        context.files.stat(context.layout.blob(descriptor.digest)) !== undefined,
    )
    .toSorted((left, right) => ((left.tags?.[tag] ?? '') < (right.tags?.[tag] ?? '') ? 1 : -1))
  return latest?.descriptor
}

function subjectOf(tag: string): Digest | undefined {
  const [, algorithm, hex] =
    /^(sha256|sha384|sha512)-([0-9a-f]+)\.(?:sig|att|sbom)$/.exec(tag) ?? []
  const digest = `${algorithm}:${hex}`
  return isDigest(digest) ? digest : undefined
}
