import {
  canonicalName,
  type Descriptor,
  familiarReference,
  formatPlatform,
  type Index,
  isAttestation,
  isImageManifest,
  isIndexType,
  isUnknownPlatform,
  KatmanError,
  type Manifest,
  matchPlatforms,
  normalisePlatform,
  type Platform,
  type Reference,
  withDefaultTag,
} from '@katman/oci'
import {
  type CallOptions,
  copyContent,
  type CopyEvent,
  type CopyResult,
  type Source,
} from '@katman/transfer'
import { contentSize } from './images/image-view.ts'
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
  const result = await copyContent(source, store, target, {
    ...call,
    concurrency: options.concurrency,
    onEvent: options.onEvent,
    referrers: options.referrers ? true : undefined,
    select: (index) => selectPlatform(index, options.platform),
    accept: (manifest, descriptor) => refuseArtifact(manifest, descriptor, reference),
  })
  const images = await recordImages(store, result, { ...options, from: canonicalName(reference) })
  const [shown] = images
  if (shown === undefined) throw notAnImage(target, reference)
  const changed = await nameImage(store, reference, target, shown, options)
  const { movedBlobs, movedBytes } = result
  return { target, images, changed, movedBlobs, movedBytes }
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

/** What {@link recordImages} needs to know beside the copy. */
export interface RecordOptions {
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
