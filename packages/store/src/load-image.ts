import {
  type Descriptor,
  type Digest,
  formatReference,
  KatmanError,
  type Platform,
  type Reference,
  withDefaultTag,
} from '@katman/oci'
import { type CallOptions, copyContent, type CopyEvent, type Source } from '@katman/transfer'
import { recordImages } from './pull-image.ts'
import type { ImageRecord } from './records.ts'
import type { Store } from './store.ts'

export interface LoadImageOptions extends CallOptions {
  /** True for what the source holds: entries of an index that it lacks are passed over. Default: it has all. */
  readonly has?: (descriptor: Descriptor) => boolean
  /** The platform a name shows. Default: the first image. */
  readonly shown?: Platform | undefined
  readonly onEvent?: ((event: CopyEvent) => void) | undefined
  readonly now?: () => Date
}

export interface LoadImageResult {
  /** Every image; the one that the names show comes first. */
  readonly images: readonly ImageRecord[]
  /** Names that meant another image before, with that image. */
  readonly replaced: readonly { readonly name: Reference; readonly image: Digest }[]
}

/**
 * Copies an image or an index from a place without names of its own, such as an archive, into the store and gives it
 * these names. Throws `NOT_AN_IMAGE` and what {@link copyContent} throws.
 */
export async function loadImage(
  store: Store,
  source: Source,
  target: Descriptor,
  names: readonly Reference[],
  options: LoadImageOptions = {},
): Promise<LoadImageResult> {
  const { has = () => true, signal } = options
  const result = await copyContent(source, store, target, {
    signal,
    onEvent: options.onEvent,
    select: (index) => index.manifests.filter((entry) => has(entry)),
  })
  const images = await recordImages(store, result, options)
  const [shown] = images
  if (shown === undefined) {
    throw new KatmanError('NOT_AN_IMAGE', `${source.name}: ${target.digest} holds no image`, {
      details: { digest: target.digest, place: source.name },
    })
  }
  const known = new Map((await store.references()).map((record) => [record.name, record.image]))
  const replaced: { readonly name: Reference; readonly image: Digest }[] = []
  for (const reference of names) {
    const name = formatReference(withDefaultTag(reference))
    const before = known.get(name)
    if (before !== undefined && before !== shown.id)
      replaced.push({ name: reference, image: before })
    const updatedAt = (options.now?.() ?? new Date()).toISOString()
    await store.setReference({ name, target, image: shown.id, updatedAt })
  }
  return { images, replaced }
}
