import { type Descriptor, cosignTag, cosignTagKinds, type Digest, isKatmanError } from '@katman/oci'
import {
  type CallOptions,
  copyContent,
  type CopyEvent,
  type CopyResult,
  type NamingTarget,
  type Source,
} from '@katman/transfer'

/** Something cosign attached by a tag. */
export interface CosignAttachment {
  readonly tag: string
  readonly subject: Digest
  readonly descriptor: Descriptor
}

/** Questions at the same time. */
const concurrency = 8

/** What cosign attached to these contents by tags. `resolve` is given tags. */
export async function findCosignTags(
  resolve: (tag: string) => Promise<Descriptor>,
  subjects: readonly Digest[],
): Promise<readonly CosignAttachment[]> {
  const asked = subjects.flatMap((subject) =>
    cosignTagKinds.map((kind) => ({ subject, tag: cosignTag(subject, kind) })),
  )
  const found: (CosignAttachment | undefined)[] = Array.from({ length: asked.length })
  const pending = asked.entries()
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      for (const [position, { subject, tag }] of pending) {
        const descriptor = await resolve(tag).catch((error: unknown) => {
          if (isKatmanError(error, 'MANIFEST_UNKNOWN')) return undefined
          throw error
        })
        if (descriptor !== undefined) found[position] = { tag, subject, descriptor }
      }
    }),
  )
  return found.filter((one) => one !== undefined)
}

interface CopyCosignTagsOptions extends CallOptions {
  readonly onEvent?: (event: CopyEvent) => void
}

/** Copies what cosign attached by tags to what was just copied, and tags it so there. */
export async function copyCosignTags(
  source: Source,
  target: NamingTarget,
  { root, manifests }: CopyResult,
  options: CopyCosignTagsOptions,
): Promise<readonly CosignAttachment[]> {
  const { signal } = options
  const subjects = new Set(
    [root, ...manifests.map((one) => one.descriptor)].map((one) => one.digest),
  )
  const found = await findCosignTags((tag) => source.resolve(tag, { signal }), [...subjects])
  for (const { descriptor, tag } of found) {
    await copyContent(source, target, descriptor, { ...options, readFrom: 'source' })
    await target.tag(tag, descriptor, { signal })
  }
  return found
}
