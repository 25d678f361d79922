import {
  familiarReference,
  formatPlatform,
  isIndexType,
  KatmanError,
  matchExactPlatforms,
  matchPlatforms,
  type Platform,
} from '@katman/oci'
import type { Store } from '../store.ts'
import { findImage, type FoundImage } from './find-image.ts'
import type { ImageName, ImageView } from './image-view.ts'
import { readNamedContent } from './named-content.ts'

export interface FindPlatformOptions {
  /** The platform wanted. Default: the image that the name shows. */
  readonly platform?: Platform | undefined
  /** Whether something lower that runs on the platform will do. Default: only the platform itself. */
  readonly orLower?: boolean
}

/**
 * Finds an image as {@link findImage} does, and of the platforms its name leads to the one that is wanted. An id means one
 * image of one platform. Throws what {@link findImage} throws, and `PLATFORM_UNKNOWN` with docker's text.
 */
export async function findPlatformImage(
  store: Store,
  images: readonly ImageView[],
  text: string,
  { platform, orLower = false }: FindPlatformOptions = {},
): Promise<ImageView> {
  const found = findImage(images, text)
  if (platform === undefined) return found.image
  const choose = orLower ? matchPlatforms : matchExactPlatforms
  const platforms = await platformImages(store, images, found)
  const [best] = choose(platform, platforms, (image) => image.record.platform)
  if (best !== undefined) return withNames(best, images, found)
  throw platformMissing(
    orLower && found.name !== undefined ? familiarReference(found.name.reference) : text,
    platform,
    platforms.map(({ record }) => record.platform),
  )
}

/** Every platform of a name has that name, though lists show one. */
function withNames(
  image: ImageView,
  images: readonly ImageView[],
  { target }: FoundImage,
): ImageView {
  if (target === undefined) return image
  const isSame = (name: ImageName): boolean => name.record.target.digest === target.digest
  const tags = images.flatMap((one) => one.tags.filter(isSame))
  const digests = images.flatMap((one) => one.digests.filter(isSame))
  return { ...image, tags, digests }
}

/** The images a found name leads to that are here, in the order of its index. */
export async function platformImages(
  store: Store,
  images: readonly ImageView[],
  { image, target }: FoundImage,
): Promise<readonly ImageView[]> {
  if (target === undefined || !isIndexType(target.mediaType)) return [image]
  const below = await readNamedContent(store).imagesBelow(target)
  return below.flatMap(({ id }) => images.find((one) => one.id === id) ?? [])
}

/** The error for a platform that an image does not have here, in docker's words. */
export function platformMissing(
  shown: string,
  platform: Platform,
  platforms: readonly Platform[],
): KatmanError {
  const wanted = formatPlatform(platform, { withVersion: true })
  const here = platforms.map((one) => formatPlatform(one, { withVersion: true }))
  const message = `image with reference ${shown} was found but does not provide the specified platform (${wanted})`
  return new KatmanError('PLATFORM_UNKNOWN', message, {
    hint: here.length === 0 ? 'pull it first' : `here: ${here.join(', ')}`,
    details: { reference: shown, platform: wanted, available: here },
  })
}
