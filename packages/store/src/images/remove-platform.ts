import {
  type Descriptor,
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
import { platformImages, platformMissing } from './find-platform.ts'
import { type ImageName, type ImageView, loadImages } from './image-view.ts'
import {
  createRemoval,
  forgetImage,
  keyOf,
  namesLeadingTo,
  type Removal,
  type RemovalState,
  type RemoveOptions,
  removeUnheld,
  resultOf,
  untag,
} from './remove-image.ts'

export interface RemovePlatformsOptions extends RemoveOptions {
  /** The platform that names show next, when it is there. Default: the first of their index. */
  readonly shown?: Platform | undefined
}

/**
 * Removes single platforms of an image from every name that leads to them, as docker's `rmi --platform` does: the names
 * stay as long as any platform is here, and show another one when theirs went; with the last platform they go.
 * Throws `IMAGE_CONFLICT` without `force`, `PLATFORM_UNKNOWN`, `IMAGE_UNKNOWN`, `REFERENCE_INVALID` with docker's texts.
 */
export async function removePlatforms(
  store: Store,
  text: string,
  platforms: readonly Platform[],
  options: RemovePlatformsOptions = {},
): Promise<Removal> {
  if (options.force !== true) {
    throw new KatmanError(
      'IMAGE_CONFLICT',
      'Content will be removed from all images referencing this variant. Use —-force to force delete.',
    )
  }
  const images = await loadImages(store)
  const state = createRemoval(store, images, options)
  const found = findImage(images, text)
  const chosen = new Set<ImageView | Descriptor>()
  // All are looked for before the first goes.
  for (const platform of platforms) chosen.add(await choose(state, found, { text, platform }))
  for (const one of chosen) {
    if ('record' in one) await removePlatform(state, one, options.shown)
    else forgetRest(state, one)
  }
  await removeUnheld(state)
  return resultOf(state)
}

/** The image of a platform, or the manifest of one that is here without a record. */
async function choose(
  { store, images, content }: RemovalState,
  found: FoundImage,
  { text, platform }: { readonly text: string; readonly platform: Platform },
): Promise<ImageView | Descriptor> {
  const here = await platformImages(store, images, found)
  const [image] = matchExactPlatforms(platform, here, ({ record }) => record.platform)
  if (image !== undefined) return image
  const below = found.target === undefined ? [] : await content.imagesBelow(found.target)
  const rest = below.filter(({ id }) => !images.some((one) => one.id === id))
  const [left] = matchExactPlatforms(platform, rest, ({ descriptor }) => descriptor.platform)
  if (left !== undefined) return left.descriptor
  const { name } = found
  const shown = name === undefined ? text : familiarReference(name.reference)
  const missing = platformMissing(
    shown,
    platform,
    here.map(({ record }) => record.platform),
  )
  const target = found.target ?? found.image.record.manifest
  const message = `failed to delete platform ${formatPlatform(platform)} for image ${target.digest}: ${missing.message}`
  throw new KatmanError(missing.code, message, {
    ...(missing.hint === undefined ? {} : { hint: missing.hint }),
    details: missing.details,
    cause: missing,
  })
}

async function removePlatform(
  state: RemovalState,
  image: ImageView,
  shown: Platform | undefined,
): Promise<void> {
  const names = await namesLeadingTo(state, image)
  for (const name of names) {
    if (name.record.image !== image.id) continue
    const next = await nextShown(state, name.record.target, image, shown)
    if (next === undefined) await untag(state, name)
    else await show(state, name, next)
  }
  await forgetImage(state, { ...image, tags: [], digests: [] }, image.record.manifest.digest)
}

/** What a pull or a removal that was killed has left of a platform: no image, but a name keeps it. */
function forgetRest(state: RemovalState, { digest }: Descriptor): void {
  state.forgotten.push(digest)
  state.lines.push({ kind: 'deleted', digest })
}

/** The platform a name shows when the one it showed goes. */
async function nextShown(
  state: RemovalState,
  target: Descriptor,
  gone: ImageView,
  shown: Platform | undefined,
): Promise<ImageView | undefined> {
  if (!isIndexType(target.mediaType)) return undefined
  const left = (await state.content.imagesBelow(target)).flatMap(({ id }) =>
    id === gone.id ? [] : (state.images.find((one) => one.id === id) ?? []),
  )
  const [best] =
    shown === undefined ? [] : matchPlatforms(shown, left, ({ record }) => record.platform)
  return best ?? left[0]
}

async function show(state: RemovalState, name: ImageName, next: ImageView): Promise<void> {
  const record = { ...name.record, image: next.id }
  state.known.delete(keyOf(name.record))
  state.known.add(keyOf(record))
  if (!state.options.dryRun) await state.store.setReference(record)
  const kind = name.reference.tag === undefined ? 'digests' : 'tags'
  state.images = state.images.map((image) => {
    if (image.id === next.id) return { ...image, [kind]: [...image[kind], { ...name, record }] }
    return { ...image, [kind]: image[kind].filter((other) => other !== name) }
  })
}
