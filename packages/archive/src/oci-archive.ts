import { type Descriptor, digestAlgorithm, digestHex, mediaTypes, parseManifest } from '@katman/oci'
import { archiveInvalid } from './archive-error.ts'
import type { ArchiveContent, ArchiveImage } from './open-archive.ts'
import type { TarFile } from './tar-file.ts'

/** Where containerd and docker write the whole name of an image. */
export const imageNameKey = 'io.containerd.image.name'
/** Where the image layout has a tag, and some tools a whole name (image-spec annotations.md). */
export const refNameKey = 'org.opencontainers.image.ref.name'

/** An OCI layout in a tar file (image-spec image-layout.md). */
export async function readOciArchive(tar: TarFile): Promise<ArchiveContent> {
  const piece = tar.find('index.json')
  if (piece === undefined) throw archiveInvalid(tar.name, 'it has no index.json')
  const index = parseManifest(await tar.readDocument(piece, 'index.json'), mediaTypes.ociIndex)
  if (index.kind !== 'index') throw archiveInvalid(tar.name, 'its index.json is no index')
  return {
    images: gather(index.manifests),
    find: (digest) => tar.find(`blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`),
  }
}

/** One image for each digest, with all its names. */
function gather(entries: readonly Descriptor[]): readonly ArchiveImage[] {
  interface Named {
    readonly descriptor: Descriptor
    readonly names: string[]
  }
  const images = new Map<string, Named>()
  for (const { annotations, ...entry } of entries) {
    const image: Named = images.get(entry.digest) ?? { descriptor: entry, names: [] }
    images.set(entry.digest, image)
    const name = annotations?.[imageNameKey] ?? annotations?.[refNameKey] ?? ''
    // A tag alone names nothing outside its layout.
    if (/[:/]/.test(name)) image.names.push(name)
  }
  return [...images.values()]
}
