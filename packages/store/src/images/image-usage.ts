import type { Digest } from '@katman/oci'
import type { Store } from '../store.ts'
import { chainIDs, type ImageView } from './image-view.ts'

/** What one image takes up. */
export interface ImageUsage {
  readonly image: ImageView
  /** Bytes of layers that other images have too. */
  readonly sharedBytes: number
  readonly uniqueBytes: number
}

/** What all images take up; layers that several have count once. */
export interface ImagesUsage {
  readonly images: readonly ImageUsage[]
  readonly totalBytes: number
}

/** Adds up the layers of images, by chainID as docker does. */
export async function imagesUsage(
  store: Store,
  images: readonly ImageView[],
): Promise<ImagesUsage> {
  const users = new Map<Digest, number>()
  const sizes = new Map<Digest, number>()
  const chains = await Promise.all(
    images.map(async (image) => {
      const { diffIDs } = await image.readConfig()
      const chain = chainIDs(diffIDs)
      for (const [position, digest] of chain.entries()) {
        users.set(digest, (users.get(digest) ?? 0) + 1)
        const diffID = diffIDs[position]
        if (sizes.has(digest) || diffID === undefined) continue
        sizes.set(digest, (await store.layerSize(diffID)) ?? 0)
      }
      return chain
    }),
  )
  const usage = images.map((image, position) => {
    let sharedBytes = 0
    let uniqueBytes = 0
    for (const digest of chains[position] ?? []) {
      const size = sizes.get(digest) ?? 0
      if ((users.get(digest) ?? 0) > 1) sharedBytes += size
      else uniqueBytes += size
    }
    return { image, sharedBytes, uniqueBytes }
  })
  return { images: usage, totalBytes: [...sizes.values()].reduce((sum, size) => sum + size, 0) }
}
