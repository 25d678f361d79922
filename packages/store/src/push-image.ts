import {
  canonicalName,
  childrenOf,
  type Descriptor,
  type Digest,
  familiarReference,
  formatPlatform,
  formatReference,
  type Index,
  isAttestation,
  isImageManifest,
  isIndexType,
  isManifestType,
  isUnknownPlatform,
  KatmanError,
  type Manifest,
  matchPlatforms,
  parseImageConfig,
  parseManifest,
  type Platform,
  type Reference,
} from '@katman/oci'
import {
  type CallOptions,
  copyContent,
  type CopyEvent,
  type NamingTarget,
  readVerified,
} from '@katman/transfer'
import { platformMissing } from './images/find-platform.ts'
import { recordAgain } from './record-images.ts'
import type { ReferenceRecord } from './records.ts'
import type { Store } from './store.ts'

export interface PushOptions extends CallOptions {
  /** Only this one of an index. Default: all that is here. */
  readonly platform?: Platform | undefined
  /** Blobs moved at the same time. Default 5, as docker has it. */
  readonly concurrency?: number
  /** Also pushes what refers to the image and is here: signatures, SBOMs. Default false. */
  readonly referrers?: boolean
  /** The layers that will be looked at, of every image bottom first, before any moves. */
  readonly onLayers?: (layers: readonly PushedLayer[]) => void
  readonly onEvent?: (event: CopyEvent) => void
  /** Default: the clock. */
  readonly now?: () => Date
}

/** A layer as it travels, and the digest of its content. */
export interface PushedLayer {
  readonly digest: Digest
  readonly diffID: Digest
}

export interface PushResult {
  /** What the tag points to in the registry now: an index, or a manifest. */
  readonly target: Descriptor
  /** Platforms of the index that are not here and were not pushed. */
  readonly missing: readonly string[]
}

/**
 * Pushes what a name stands for, with its bytes: an index with all its images when all are here. Of an index of which
 * one image is here that one is pushed, as docker does; of several, these and the index. Afterwards the store knows
 * the image by its digest in that repository.
 * Throws `PLATFORM_UNKNOWN`, `CONTENT_INCOMPLETE`, and what {@link copyContent} throws.
 */
export async function pushImage(
  store: Store,
  target: NamingTarget,
  name: { readonly reference: Reference; readonly record: ReferenceRecord },
  options: PushOptions = {},
): Promise<PushResult> {
  const { reference, record } = name
  const { root, keep, missing } = await chooseContent(store, record.target, reference, options)
  options.onLayers?.(await layersBelow(store, root, keep))
  await copyContent(store, target, root, {
    signal: options.signal,
    concurrency: options.concurrency ?? 5,
    readFrom: 'source',
    referrers: options.referrers ? true : undefined,
    select: (index) => index.manifests.filter((entry) => keep.has(entry.digest)),
    onEvent: options.onEvent,
  })
  await target.tag(reference.tag ?? '', root, { signal: options.signal })
  await rememberPush(store, reference, root, record.image, options.now?.() ?? new Date())
  return { target: root, missing }
}

interface Chosen {
  readonly root: Descriptor
  /** Entries of indexes that are here whole. */
  readonly keep: ReadonlySet<Digest>
  readonly missing: readonly string[]
}

async function chooseContent(
  store: Store,
  root: Descriptor,
  reference: Reference,
  { platform, signal }: PushOptions,
): Promise<Chosen> {
  const keep = new Set<Digest>()
  if (!isIndexType(root.mediaType)) {
    if (await isWhole(store, root, keep, signal)) return { root, keep, missing: [] }
    throw incomplete(reference, root)
  }
  const index = await readIndex(store, root)
  const present: Descriptor[] = []
  const absent: Descriptor[] = []
  for (const entry of index.manifests) {
    const list = (await isWhole(store, entry, keep, signal)) ? present : absent
    list.push(entry)
  }
  const missing = absent.filter(isImageEntry).map(platformOf)
  if (platform !== undefined) {
    const [one] = matchPlatforms(platform, present.filter(isImageEntry), (entry) => entry.platform)
    if (one === undefined) {
      const here = present.filter(isImageEntry).flatMap((entry) => entry.platform ?? [])
      throw platformMissing(familiarReference(reference), platform, here)
    }
    return { root: one, keep, missing: [] }
  }
  if (absent.length === 0) return { root, keep, missing: [] }
  const images = present.filter(isImageEntry)
  const [only] = images
  if (only === undefined) throw incomplete(reference, root)
  return images.length === 1 ? { root: only, keep, missing } : { root, keep, missing }
}

/** True when everything a descriptor leads to is here; `whole` gets the manifests and indexes of it. */
async function isWhole(
  store: Store,
  descriptor: Descriptor,
  whole: Set<Digest>,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  signal?.throwIfAborted()
  if (!(await store.has(descriptor, { signal }))) return false
  if (!isIndexType(descriptor.mediaType) && !isManifestType(descriptor.mediaType)) return true
  const document = parseManifest(await readVerified(store, descriptor), descriptor.mediaType)
  for (const child of childrenOf(document)) {
    if (child.urls !== undefined && child.urls.length > 0) continue
    if (!(await isWhole(store, child, whole, signal))) return false
  }
  whole.add(descriptor.digest)
  return true
}

async function layersBelow(
  store: Store,
  root: Descriptor,
  keep: ReadonlySet<Digest>,
): Promise<readonly PushedLayer[]> {
  if (!isIndexType(root.mediaType)) return layersOf(store, root)
  const layers: PushedLayer[] = []
  for (const entry of (await readIndex(store, root)).manifests) {
    if (keep.has(entry.digest)) layers.push(...(await layersBelow(store, entry, keep)))
  }
  return layers
}

async function layersOf(store: Store, descriptor: Descriptor): Promise<readonly PushedLayer[]> {
  const manifest = await readManifest(store, descriptor)
  if (manifest === undefined || !isImageManifest(manifest)) return []
  const { diffIDs } = parseImageConfig(await readVerified(store, manifest.config))
  return manifest.layers.flatMap(({ digest }, position) => {
    const diffID = diffIDs[position]
    return diffID === undefined ? [] : [{ digest, diffID }]
  })
}

async function rememberPush(
  store: Store,
  reference: Reference,
  target: Descriptor,
  image: Digest,
  now: Date,
): Promise<void> {
  const from = canonicalName(reference)
  const record = (await store.images()).find(({ id }) => id === image)
  if (record !== undefined && record.from?.includes(from) !== true) {
    await store.putImage({ ...record, from: [...(record.from ?? []), from] })
  }
  const shown = isIndexType(target.mediaType) ? image : await configOf(store, target, image)
  await store.setReference({
    name: `${from}@${target.digest}`,
    target,
    image: shown,
    updatedAt: now.toISOString(),
    from,
  })
  if (record !== undefined) await recordAgain(store, [record])
}

async function configOf(store: Store, target: Descriptor, image: Digest): Promise<Digest> {
  return (await readManifest(store, target))?.config.digest ?? image
}

async function readIndex(store: Store, descriptor: Descriptor): Promise<Index> {
  const document = parseManifest(await readVerified(store, descriptor), descriptor.mediaType)
  if (document.kind === 'index') return document
  throw new TypeError(`${descriptor.digest} is no index`)
}

async function readManifest(store: Store, descriptor: Descriptor): Promise<Manifest | undefined> {
  const document = parseManifest(await readVerified(store, descriptor), descriptor.mediaType)
  return document.kind === 'manifest' ? document : undefined
}

function isImageEntry(entry: Descriptor): boolean {
  return (
    !isAttestation(entry) && (entry.platform === undefined || !isUnknownPlatform(entry.platform))
  )
}

function platformOf({ platform, digest }: Descriptor): string {
  return platform === undefined ? digest : formatPlatform(platform, { withVersion: true })
}

function incomplete(reference: Reference, root: Descriptor): KatmanError {
  const name = familiarReference(reference)
  return new KatmanError('CONTENT_INCOMPLETE', `${name}: not all of ${root.digest} is here`, {
    hint: 'pull it again, or look for damage with: katman fsck',
    details: { reference: formatReference(reference), digest: root.digest },
  })
}
