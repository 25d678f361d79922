import {
  canonicalName,
  childrenOf,
  type Descriptor,
  type Digest,
  familiarReference,
  formatPlatform,
  formatReference,
  isAttestation,
  isIndexType,
  isKatmanError,
  isManifestType,
  isUnknownPlatform,
  KatmanError,
  matchPlatforms,
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
import { layersBelow, type PushedLayer, readIndex, readManifest } from './push-layers.ts'
import { findPushed } from './pushed-already.ts'
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
  /** Called once before anything is copied; not when the tag stands for the image already. */
  readonly beforeCopy?: () => Promise<void>
  /** The layers that will be looked at, of every image bottom first, before any moves. */
  readonly onLayers?: (layers: readonly PushedLayer[]) => void
  readonly onEvent?: (event: CopyEvent) => void
  /** Default: the clock. */
  readonly now?: () => Date
}

export interface PushResult {
  /** What the tag points to in the registry now: an index, or a manifest. */
  readonly target: Descriptor
  /** Platforms of the index that are not here and were not pushed. */
  readonly missing: readonly string[]
}

/**
 * Pushes what a name stands for, with its bytes: an index with all its images when all are here. Of an index of which
 * one image is here that one is pushed, as docker does; of several, these and the index. When the tag stands for it
 * already, the registry has it all: nothing is asked and nothing moves. Afterwards the store knows the image by its
 * digest in that repository.
 * Throws `PLATFORM_UNKNOWN`, `CONTENT_INCOMPLETE`, and what {@link copyContent} throws.
 */
export async function pushImage(
  store: Store,
  target: NamingTarget,
  name: { readonly reference: Reference; readonly record: ReferenceRecord },
  options: PushOptions = {},
): Promise<PushResult> {
  const { reference, record } = name
  // What refers to it may be new all the same.
  if (options.referrers !== true && (await findPushed(store, target, name, options))) {
    await rememberOnce(store, reference, record, options)
    return { target: record.target, missing: [] }
  }
  await options.beforeCopy?.()
  const { root, keep, missing } = await chooseContent(store, record.target, reference, options)
  options.onLayers?.(await layersBelow(store, root, (entry) => keep.has(entry.digest)))
  await copyContent(store, target, root, {
    signal: options.signal,
    concurrency: options.concurrency ?? 5,
    readFrom: 'source',
    referrers: options.referrers ? true : undefined,
    select: (index) => index.manifests.filter((entry) => keep.has(entry.digest)),
    onEvent: options.onEvent,
  }).catch((error: unknown) => {
    throw explained(error, reference, missing)
  })
  await target.tag(reference.tag ?? '', root, { signal: options.signal })
  await rememberPush(store, reference, root, record.image, options.now?.() ?? new Date())
  return { target: root, missing }
}

/** Most registries refuse an index of which they lack an entry: the error says which, and what can be done. */
function explained(error: unknown, reference: Reference, missing: readonly string[]): unknown {
  if (missing.length === 0 || !isKatmanError(error)) return error
  const codes = error.details['registryCodes']
  if (!Array.isArray(codes) || !codes.includes('MANIFEST_BLOB_UNKNOWN')) return error
  const name = familiarReference(reference)
  return new KatmanError(
    'CONTENT_INCOMPLETE',
    `the registry refuses ${name} as long as it lacks platforms, and these are not here: ${missing.join(', ')}`,
    {
      hint: 'pull them, too (--platform all), or push one platform (--platform)',
      details: { reference: formatReference(reference), missing },
      cause: error,
    },
  )
}

/** {@link rememberPush}, unless the store knows it. */
async function rememberOnce(
  store: Store,
  reference: Reference,
  { target, image }: ReferenceRecord,
  options: PushOptions,
): Promise<void> {
  const known = await store
    .resolve(`${canonicalName(reference)}@${target.digest}`)
    .catch((error: unknown) => {
      if (isKatmanError(error, 'MANIFEST_UNKNOWN')) return undefined
      throw error
    })
  if (known !== undefined) return
  await rememberPush(store, reference, target, image, options.now?.() ?? new Date())
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
