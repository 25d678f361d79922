import {
  isAttestation,
  isUnknownPlatform,
  matchPlatforms,
  normalisePlatform,
  type Platform,
} from '@katman/oci'
import type { CopyResult } from '@katman/transfer'
import { contentSize } from './images/image-view.ts'
import type { ImageRecord } from './records.ts'
import type { Store } from './store.ts'

/** What {@link recordImages} needs to know beside the copy. */
interface RecordOptions {
  /** The platform to put first. */
  readonly shown?: Platform | undefined
  readonly now?: (() => Date) | undefined
  /** Canonical name of the repository it came from. */
  readonly from?: string
}

/** Records every image of a copy into the store; the one for the platform to show comes first. */
export async function recordImages(
  store: Store,
  result: CopyResult,
  options: RecordOptions,
): Promise<readonly ImageRecord[]> {
  const images = shownFirst(await imageRecords(store, result, options), options.shown)
  for (const image of images) await store.putImage(image)
  return images
}

/**
 * Records those images again that another process has removed before it could see their names. Comes after the names
 * are written: a removal that deletes a record after this looks for names, sees them, and puts the record back itself.
 */
export async function recordAgain(store: Store, images: readonly ImageRecord[]): Promise<void> {
  const known = new Set((await store.images()).map(({ id }) => id))
  for (const image of images) {
    if (!known.has(image.id)) await store.putImage(image)
  }
}

async function imageRecords(
  store: Store,
  result: CopyResult,
  options: RecordOptions,
): Promise<readonly ImageRecord[]> {
  const addedAt = (options.now?.() ?? new Date()).toISOString()
  const known = new Map((await store.images()).map((image) => [image.id, image]))
  const records: ImageRecord[] = []
  for (const { descriptor, manifest, config, parents } of result.manifests) {
    if (config === undefined || isAttestation(descriptor)) continue
    if (isUnknownPlatform(config.platform)) continue
    const id = manifest.config.digest
    const old = known.get(id)
    const [index] = parents
    const from = new Set([
      ...(options.from === undefined ? [] : [options.from]),
      ...(old?.from ?? []),
    ])
    records.push({
      ...old,
      id,
      manifest: descriptor,
      ...(index === undefined ? {} : { index }),
      platform: normalisePlatform(config.platform),
      addedAt: old?.addedAt ?? addedAt,
      summary: {
        ...(config.created === undefined ? {} : { created: config.created }),
        sizeBytes: await contentSize(store, config.diffIDs),
      },
      from: [...from],
    })
  }
  return records
}

function shownFirst(
  images: readonly ImageRecord[],
  platform: Platform | undefined,
): readonly ImageRecord[] {
  if (platform === undefined) return images
  const [best] = matchPlatforms(platform, images, (image) => image.platform)
  return best === undefined ? images : [best, ...images.filter((image) => image !== best)]
}
