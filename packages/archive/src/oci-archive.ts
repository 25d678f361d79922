import { digestAlgorithm, digestHex, mediaTypes, parseManifest } from '@katman/oci'
import { archiveInvalid } from './archive-error.ts'
import { gatherImages } from './archive-place.ts'
import type { ArchiveContent } from './open-archive.ts'
import type { TarFile } from './tar-file.ts'

/** An OCI layout in a tar file (image-spec image-layout.md). */
export async function readOciArchive(tar: TarFile): Promise<ArchiveContent> {
  const piece = tar.find('index.json')
  if (piece === undefined) throw archiveInvalid(tar.name, 'it has no index.json')
  const index = parseManifest(await tar.readDocument(piece, 'index.json'), mediaTypes.ociIndex)
  if (index.kind !== 'index') throw archiveInvalid(tar.name, 'its index.json is no index')
  return {
    images: gatherImages(index.manifests),
    find: (digest) => tar.find(`blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`),
  }
}
