import { type Descriptor, cosignTag, cosignTagKinds, type Digest, isKatmanError } from '@katman/oci'
import { limit } from './limit.ts'
import { type CallOptions, isNamingTarget, type Target } from './place.ts'

/** Something cosign attached by a tag. */
export interface CosignAttachment {
  readonly tag: string
  readonly subject: Digest
  readonly descriptor: Descriptor
}

/** Questions at the same time. */
const concurrency = 8

/** What cosign attached to these contents by tags. `resolve` is given tags; `MANIFEST_UNKNOWN` and `NAME_UNKNOWN` mean none. */
export async function findCosignTags(
  resolve: (tag: string) => Promise<Descriptor>,
  subjects: readonly Digest[],
): Promise<readonly CosignAttachment[]> {
  const slot = limit(concurrency)
  const asked = [...new Set(subjects)].flatMap((subject) =>
    cosignTagKinds.map((kind) => ({ subject, tag: cosignTag(subject, kind) })),
  )
  const found = await Promise.all(
    asked.map(({ subject, tag }) =>
      slot(async () => {
        const descriptor = await resolve(tag).catch((error: unknown) => {
          if (isKatmanError(error, 'MANIFEST_UNKNOWN') || isKatmanError(error, 'NAME_UNKNOWN')) {
            return undefined
          }
          throw error
        })
        return descriptor === undefined ? undefined : { tag, subject, descriptor }
      }),
    ),
  )
  return found.filter((one) => one !== undefined)
}

interface CopyCosignTagsOptions extends CallOptions {
  readonly resolve: (tag: string) => Promise<Descriptor>
  /** Copies one with all it leads to. */
  readonly copy: (attachment: CosignAttachment) => Promise<unknown>
}

/** Copies what cosign attached by tags to what was just copied, and tags it so at a target that has tags. */
export async function copyCosignTags(
  target: Target,
  subjects: readonly Descriptor[],
  { resolve, copy, signal }: CopyCosignTagsOptions,
): Promise<readonly CosignAttachment[]> {
  const found = await findCosignTags(
    resolve,
    subjects.map(({ digest }) => digest),
  )
  for (const one of found) {
    await copy(one)
    if (isNamingTarget(target)) await target.tag(one.tag, one.descriptor, { signal })
  }
  return found
}
