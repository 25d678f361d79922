import {
  canonicalName,
  familiarReference,
  type Descriptor,
  type Digest,
  formatReference,
  isImageManifest,
  isIndexType,
  KatmanError,
  mediaTypes,
  parseImageConfig,
  parseManifest,
  type Platform,
  type Reference,
  withDefaultTag,
} from '@katman/oci'
import {
  type CallOptions,
  copyContent,
  type CopyEvent,
  readVerified,
  type Source,
} from '@katman/transfer'
import { selectPlatform } from './pull-image.ts'
import { recordAgain, recordImages } from './record-images.ts'
import type { ImageRecord } from './records.ts'
import type { Store } from './store.ts'

export interface LoadImageOptions extends CallOptions {
  /** True for what the source holds: entries of an index that it lacks are passed over. Default: it has all. */
  readonly has?: (descriptor: Descriptor) => boolean
  /** Of an index only these; an image must be of one of them. Default: all. */
  readonly platforms?: readonly Platform[]
  /** The platform a name shows. Default: the first image. */
  readonly shown?: Platform | undefined
  /** Also copies what refers to the image. Default false. */
  readonly referrers?: boolean
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
 * these names. Throws `NOT_AN_IMAGE`, `REFERENCE_INVALID` for a name with another digest, `PLATFORM_UNKNOWN` and what {@link copyContent} throws.
 */
export async function loadImage(
  store: Store,
  source: Source,
  target: Descriptor,
  names: readonly Reference[],
  options: LoadImageOptions = {},
): Promise<LoadImageResult> {
  const { has = () => true, platforms = [], signal } = options
  const canonical = names.map((name) => canonicalFor(name, target))
  if (platforms.length > 0) await checkPlatform(source, target, platforms, { signal })
  const result = await copyContent(source, store, target, {
    signal,
    onEvent: options.onEvent,
    referrers: options.referrers ? true : undefined,
    select: (index) =>
      selectPlatforms(
        index.manifests.filter((entry) => has(entry)),
        platforms,
      ),
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
  for (const [position, name] of canonical.entries()) {
    const before = known.get(name)
    const reference = names[position]
    if (before !== undefined && before !== shown.id && reference !== undefined)
      replaced.push({ name: reference, image: before })
    const updatedAt = (options.now?.() ?? new Date()).toISOString()
    await store.setReference({ name, target, image: shown.id, updatedAt })
  }
  await recordAgain(store, images)
  return { images, replaced }
}

/** The name as the store has it; one with a digest is a name of nothing else. */
function canonicalFor(reference: Reference, { digest }: Descriptor): string {
  if (reference.digest === undefined) return formatReference(withDefaultTag(reference))
  if (reference.digest === digest) return `${canonicalName(reference)}@${digest}`
  const shown = familiarReference(reference)
  throw new KatmanError('REFERENCE_INVALID', `${shown} cannot name other content: ${digest}`, {
    hint: 'leave the digest away, or give a tag',
    details: { reference: shown, digest },
  })
}

/** The entries of an index for any of the platforms; all when none is given. Throws `PLATFORM_UNKNOWN`. */
export function selectPlatforms(
  entries: readonly Descriptor[],
  platforms: readonly Platform[],
): readonly Descriptor[] {
  if (platforms.length === 0) return entries
  const index = { kind: 'index', mediaType: mediaTypes.ociIndex, manifests: entries } as const
  const chosen = new Set(platforms.flatMap((platform) => selectPlatform(index, platform)))
  return entries.filter((entry) => chosen.has(entry))
}

/** An image that no index leads to has its platform in its config. */
async function checkPlatform(
  source: Source,
  target: Descriptor,
  platforms: readonly Platform[],
  call: CallOptions,
): Promise<void> {
  if (isIndexType(target.mediaType)) return
  const manifest = parseManifest(await readVerified(source, target, call), target.mediaType)
  if (manifest.kind !== 'manifest' || !isImageManifest(manifest)) return
  const { platform } = parseImageConfig(await readVerified(source, manifest.config, call))
  selectPlatforms([{ ...target, platform }], platforms)
}
