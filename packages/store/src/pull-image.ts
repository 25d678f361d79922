import {
  canonicalName,
  type Descriptor,
  familiarReference,
  formatPlatform,
  type Index,
  isAttestation,
  isImageManifest,
  isIndexType,
  isKatmanError,
  isUnknownPlatform,
  KatmanError,
  type Manifest,
  matchPlatforms,
  type Platform,
  type Reference,
  withDefaultTag,
} from '@katman/oci'
import { type CallOptions, copyContent, type CopyEvent, type Source } from '@katman/transfer'
import { recordAgain, recordImages } from './record-images.ts'
import type { ImageRecord, ReferenceRecord } from './records.ts'
import type { Store } from './store.ts'

export interface PullOptions extends CallOptions {
  /** The platform to choose from an index, or every one it has. */
  readonly platform: Platform | 'all'
  /** The platform the names show when every one is pulled. Default: the first of the index. */
  readonly shown?: Platform
  /** Layers moved at the same time. Default 3. */
  readonly concurrency?: number
  /** The descriptor the reference is known to resolve to, when the caller has asked already. */
  readonly resolved?: Descriptor
  /** Also brings what refers to the image: signatures, SBOMs. Default false. */
  readonly referrers?: boolean
  readonly onEvent?: (event: CopyEvent) => void
  /** The current time. Default: the clock. */
  readonly now?: () => Date
}

export interface PullResult {
  /** What the reference resolved to: an index, or a manifest. */
  readonly target: Descriptor
  /** The images that are now complete; the first is the one the names show. */
  readonly images: readonly ImageRecord[]
  /** False when the reference meant the same image before. */
  readonly changed: boolean
  readonly movedBlobs: number
  readonly movedBytes: number
}

/**
 * Brings an image from a place into the store and names it: by tag (and by digest beside it), or by digest
 * only. The names are written last, so a killed pull leaves none.
 * Throws `PLATFORM_UNKNOWN` (listing what exists), `NOT_AN_IMAGE`, and what {@link copyContent} throws.
 */
export async function pullImage(
  store: Store,
  source: Source,
  wanted: Reference,
  options: PullOptions,
): Promise<PullResult> {
  const reference = withDefaultTag(wanted)
  const call = { signal: options.signal }
  const target =
    options.resolved ?? (await source.resolve(reference.digest ?? reference.tag ?? '', call))
  const choice = chooseBelow(target, options.platform)
  const result = await copyContent(source, store, target, {
    ...call,
    concurrency: options.concurrency,
    onEvent: options.onEvent,
    referrers: options.referrers ? true : undefined,
    select: (index, descriptor) => choice.select(index, descriptor),
    accept: (manifest, descriptor) => refuseArtifact(manifest, descriptor, reference),
  })
  const images = await recordImages(store, result, { ...options, from: canonicalName(reference) })
  const [shown] = images
  if (shown === undefined) throw choice.unknown() ?? notAnImage(target, reference)
  const changed = await nameImage(store, reference, target, shown, options)
  await recordAgain(store, images)
  const { movedBlobs, movedBytes } = result
  return { target, images, changed, movedBlobs, movedBytes }
}

/** Chooses the entries of each index on the way down from one. */
export interface PlatformChoice {
  /** As {@link selectPlatform}; none of a nested index that has not the platform. */
  select(index: Index, descriptor: Descriptor): readonly Descriptor[]
  /** The error when every nested index was passed over. */
  unknown(): KatmanError | undefined
}

/** Of the indexes below `target` those without the platform are passed over. */
export function chooseBelow(target: Descriptor, platform: Platform | 'all'): PlatformChoice {
  const without: Descriptor[] = []
  return {
    select(index, descriptor) {
      try {
        return selectPlatform(index, platform)
      } catch (error) {
        const isNested = descriptor.digest !== target.digest
        if (!isNested || !isKatmanError(error, 'PLATFORM_UNKNOWN')) throw error
        without.push(...index.manifests)
        return []
      }
    },
    unknown: () =>
      platform === 'all' || without.length === 0 ? undefined : platformUnknown(platform, without),
  }
}

/**
 * The entries of an index to copy for a platform: the best match (attestations never), or nested indexes
 * that say no platform. Throws `PLATFORM_UNKNOWN`.
 */
export function selectPlatform(index: Index, platform: Platform | 'all'): readonly Descriptor[] {
  if (platform === 'all') return index.manifests
  const images = index.manifests.filter((entry) => !isAttestation(entry))
  const [best] = matchPlatforms(platform, images, (entry) => entry.platform)
  if (best !== undefined) return [best]
  const nested = images.filter(
    (entry) => entry.platform === undefined && isIndexType(entry.mediaType),
  )
  if (nested.length > 0) return nested
  const unlabelled = images.filter((entry) => entry.platform === undefined)
  if (unlabelled.length === 1) return unlabelled
  throw platformUnknown(platform, images)
}

function platformUnknown(wanted: Platform, entries: readonly Descriptor[]): KatmanError {
  const available = entries
    .flatMap((entry) => (entry.platform === undefined ? [] : [entry.platform]))
    .filter((platform) => !isUnknownPlatform(platform))
    .map((platform) => formatPlatform(platform, { withVersion: true }))
  const name = formatPlatform(wanted)
  return new KatmanError(
    'PLATFORM_UNKNOWN',
    `no matching manifest for ${name} in the manifest list entries`,
    {
      hint:
        available.length === 0
          ? 'the index names no platform'
          : `available: ${[...new Set(available)].join(', ')}`,
      details: { platform: name, available },
    },
  )
}

function refuseArtifact(manifest: Manifest, descriptor: Descriptor, reference: Reference): void {
  if (!isImageManifest(manifest) && !isAttestation(descriptor)) {
    throw notAnImage(descriptor, reference, manifest.artifactType ?? manifest.config.mediaType)
  }
}

function notAnImage(descriptor: Descriptor, reference: Reference, type?: string): KatmanError {
  const name = familiarReference(reference)
  const what = type === undefined ? 'it holds no image' : `it is an artifact of type ${type}`
  return new KatmanError('NOT_AN_IMAGE', `${name} is not a container image: ${what}`, {
    hint: 'copy it instead of pulling it: an artifact can be moved, not run',
    details: { reference: name, digest: descriptor.digest, ...(type ? { type } : {}) },
  })
}

/** Writes the names of a pulled image; true when the one asked for is new or means something else now. */
async function nameImage(
  store: Store,
  reference: Reference,
  target: Descriptor,
  shown: ImageRecord,
  options: PullOptions,
): Promise<boolean> {
  const repository = canonicalName(reference)
  const byDigest = `${repository}@${target.digest}`
  const names =
    reference.digest === undefined ? [byDigest, `${repository}:${reference.tag}`] : [byDigest]
  const known = new Map((await store.references()).map((record) => [record.name, record]))
  let changed = false
  for (const name of names) {
    const old = known.get(name)
    changed = old?.target.digest !== target.digest || old.image !== shown.id
    // A digest keeps showing the platform it was first pulled for, unless it is asked for itself.
    if (!changed || (old !== undefined && name !== names.at(-1))) continue
    const record: ReferenceRecord = {
      name,
      target,
      image: shown.id,
      updatedAt: (options.now?.() ?? new Date()).toISOString(),
      from: repository,
    }
    await store.setReference(record)
  }
  return changed
}
