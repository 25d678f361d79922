import { type Descriptor, isAttachmentTag } from '@katman/oci'
import type { Source } from '@katman/transfer'

/** What an archive holds under one entry: an image or an index, and its names, as they are written there. */
export interface ArchiveImage {
  readonly descriptor: Descriptor
  readonly names: readonly string[]
  /** Tags alone, as skopeo writes them: they choose an image of the archive and name nothing outside it. */
  readonly tags?: readonly string[]
}

/** What an archive is, however its content lies. `resolve` takes the digest of an image. */
export interface ArchivePlace extends Source {
  readonly images: readonly ArchiveImage[]
  has(descriptor: Descriptor): boolean
}

/** Where containerd and docker write the whole name of an image. */
export const imageNameKey = 'io.containerd.image.name'
/** Where the image layout has a tag, and some tools a whole name (image-spec annotations.md). */
export const refNameKey = 'org.opencontainers.image.ref.name'

/** The images of an `index.json`, without what is only attached to them: one for each digest, with all its names. */
export function gatherImages(entries: readonly Descriptor[]): readonly ArchiveImage[] {
  interface Named {
    readonly descriptor: Descriptor
    readonly names: string[]
    readonly tags: string[]
  }
  const images = new Map<string, Named>()
  for (const { annotations, ...entry } of entries) {
    if (isAttachment(annotations?.[refNameKey], entry)) continue
    const image: Named = images.get(entry.digest) ?? {
      descriptor: entry,
      names: [],
      tags: [],
    }
    images.set(entry.digest, image)
    const name = annotations?.[imageNameKey] ?? annotations?.[refNameKey] ?? ''
    // A tag alone names nothing outside its layout.
    if (/[:/]/.test(name)) image.names.push(name)
    else if (name !== '') image.tags.push(name)
  }
  return [...images.values()]
}

/** Signatures and the like stand under tags of their own, or without a name and with their type. */
function isAttachment(tag: string | undefined, { artifactType }: Descriptor): boolean {
  return tag === undefined ? artifactType !== undefined : isAttachmentTag(tag)
}
