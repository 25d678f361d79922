import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { type Descriptor, digestAlgorithm, digestHex, isDigest, KatmanError } from '@katman/oci'
import { openOciLayout } from '@katman/transfer'
import { type ArchivePlace, gatherImages } from './archive-place.ts'

/** An OCI layout that lies unpacked in a folder, as an archive. Throws `LAYOUT_INVALID`. */
export async function openLayoutFolder(folder: string): Promise<ArchivePlace> {
  const layout = await openOciLayout(folder)
  const images = gatherImages(await layout.entries())
  const sizes = await blobSizes(folder)
  return {
    name: layout.name,
    images,
    has: (descriptor) => sizes.get(keyOf(descriptor)) === descriptor.size,
    open: (descriptor, call) => layout.open(descriptor, call),
    async resolve(reference) {
      const image = images.find(({ descriptor }) => descriptor.digest === reference)
      if (image !== undefined && isDigest(reference)) return image.descriptor
      throw new KatmanError('MANIFEST_UNKNOWN', `${layout.name}: no image ${reference}`)
    },
  }
}

/** Bytes of every blob, by `algorithm/hex`. */
async function blobSizes(folder: string): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>()
  for (const algorithm of ['sha256', 'sha512']) {
    const own = path.join(folder, 'blobs', algorithm)
    for (const name of await readdir(own).catch(() => [])) {
      // A link that leads nowhere is no content.
      const facts = await stat(path.join(own, name)).catch(() => undefined)
      if (facts !== undefined) sizes.set(`${algorithm}/${name}`, facts.size)
    }
  }
  return sizes
}

function keyOf({ digest }: Descriptor): string {
  return `${digestAlgorithm(digest)}/${digestHex(digest)}`
}
