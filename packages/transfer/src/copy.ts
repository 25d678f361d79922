import {
  type Descriptor,
  type Digest,
  type ImageConfig,
  type Index,
  isForeignLayerType,
  isImageManifest,
  isIndexType,
  isKatmanError,
  isLayerType,
  isManifestType,
  KatmanError,
  type Manifest,
  maxDescriptors,
  parseImageConfig,
  parseManifest,
} from '@katman/oci'
import { type CopiedReferrer, copyReferrers } from './copy-referrers.ts'
import { copyCosignTags } from './cosign-tags.ts'
import { limit } from './limit.ts'
import {
  type CallOptions,
  isReferrerSource,
  type Source,
  type Target,
  type WriteProgress,
} from './place.ts'
import { readVerified } from './verify.ts'

/** Nested indexes are followed this deep; deeper is refused. */
const maxDepth = 4

/** What a copy reports while it runs. Events of one blob come in order. */
export type CopyEvent =
  /** A manifest was read; its blobs come next. */
  | { readonly type: 'manifest'; readonly descriptor: Descriptor; readonly manifest: Manifest }
  /** What refers to copied content follows; its blobs come next. */
  | {
      readonly type: 'referrer'
      readonly descriptor: Descriptor
      readonly subject: Pick<Descriptor, 'digest'>
      /** The tag by which cosign attached it; absent for what names its subject itself. */
      readonly tag?: string
    }
  /** The target had it: nothing moves. */
  | { readonly type: 'present'; readonly descriptor: Descriptor }
  /** It will be moved; more blobs are under way than may run at once. */
  | { readonly type: 'queued'; readonly descriptor: Descriptor; readonly waiting: boolean }
  | {
      readonly type: 'progress'
      readonly descriptor: Descriptor
      readonly progress: WriteProgress
    }
  | { readonly type: 'copied'; readonly descriptor: Descriptor }

export interface CopyOptions extends CallOptions {
  /**
   * Chooses which entries of an index are copied. Default: all. The index itself is always copied with the
   * bytes it has, so entries that are left out stay known by digest.
   */
  readonly select?: ((index: Index, descriptor: Descriptor) => readonly Descriptor[]) | undefined
  /** Refuses a manifest by throwing, before any of its layers moves. */
  readonly accept?: ((manifest: Manifest, descriptor: Descriptor) => void) | undefined
  /** Blobs moved at the same time. Default 3. */
  readonly concurrency?: number | undefined
  readonly onEvent?: ((event: CopyEvent) => void) | undefined
  /**
   * Whether the configs of images are read, and their content hashes passed on, or copied like any blob: between registries, which
   * keep what they are given. Default `read`.
   */
  readonly configs?: 'read' | 'copy' | undefined
  /** Where manifests and configs are read that both places have: the nearer one. Default `target`. */
  readonly readFrom?: 'source' | 'target' | undefined
  /**
   * Also copies what refers to the copied manifests and indexes (with `artifactType`, only of that type), and what
   * refers to that, each after its subject; with `true` also what cosign attached to the former by tags, which a
   * `NamingTarget` gets with these tags. Default: nothing. Such content is copied whole: neither `select` nor
   * `accept` is asked. The source must be a `ReferrerSource`: `REFERRERS_UNSUPPORTED`.
   */
  readonly referrers?: true | { readonly artifactType: string } | undefined
}

/** One image or artifact manifest that a copy visited. */
export interface CopiedManifest {
  readonly descriptor: Descriptor
  readonly manifest: Manifest
  /** The config, when the manifest describes a container image. */
  readonly config?: ImageConfig
  /** The index it was chosen from, outermost first. */
  readonly parents: readonly Descriptor[]
}

export interface CopyResult {
  readonly root: Descriptor
  readonly manifests: readonly CopiedManifest[]
  /** What was copied with it because it refers to it, subjects first. */
  readonly referrers: readonly CopiedReferrer[]
  /** Blobs that had to be moved. */
  readonly movedBlobs: number
  readonly movedBytes: number
}

/**
 * Copies everything a descriptor leads to from one place to another: asks the target first, moves only what
 * is missing, blobs in parallel, verifies every byte, writes parents after their children. Each digest is
 * visited once (CVE-2026-53493). Foreign layers are not moved.
 * Throws what the places throw, `MANIFEST_INVALID`, `CONFIG_INVALID`, `GRAPH_LIMIT`, `CONCURRENCY_INVALID`.
 */
export async function copyContent(
  source: Source,
  target: Target,
  root: Descriptor,
  options: CopyOptions = {},
): Promise<CopyResult> {
  const stop = new AbortController()
  const slots = options.concurrency ?? 3
  const state: CopyState = {
    source,
    target,
    options,
    stop,
    signal:
      options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]),
    slots,
    slot: limit(slots),
    visited: new Set(),
    documents: [],
    manifests: [],
    counters: { jobs: 0, movedBlobs: 0, movedBytes: 0 },
  }
  await copyDocument(state, root, [])
  const referrers = await copyReferrersOf(state)
  const { movedBlobs, movedBytes } = state.counters
  return { root, manifests: state.manifests, referrers, movedBlobs, movedBytes }
}

/** What was copied so far is the subjects. */
async function copyReferrersOf(state: CopyState): Promise<readonly CopiedReferrer[]> {
  const { options, source, signal } = state
  if (options.referrers === undefined) return []
  const { onEvent } = options
  const whole: CopyState = {
    ...state,
    manifests: [],
    options: {
      ...options,
      select: undefined,
      accept: undefined,
      onEvent: (event) => {
        if (event.type !== 'manifest') onEvent?.(event)
      },
    },
  }
  const subjects = [...state.documents]
  const copied = await copyReferrers(source, subjects, {
    ...(options.referrers === true ? {} : options.referrers),
    signal,
    copy: async ({ descriptor, subject }, check) =>
      copyDocument(whole, descriptor, [], (document) => {
        check(document)
        onEvent?.({ type: 'referrer', descriptor, subject })
      }),
  })
  if (options.referrers !== true) return copied
  await copyCosignTags(state.target, subjects, {
    resolve: (tag) => source.resolve(tag, { signal }),
    signal,
    copy: async ({ descriptor, subject, tag }) => {
      onEvent?.({ type: 'referrer', descriptor, subject: { digest: subject }, tag })
      await copyDocument(whole, descriptor, [])
    },
  })
  return copied
}

interface CopyState {
  readonly source: Source
  readonly target: Target
  readonly options: CopyOptions
  /** Aborted by the first blob that fails, so that the others stop. */
  readonly stop: AbortController
  readonly signal: AbortSignal
  readonly slots: number
  readonly slot: <T>(job: () => Promise<T>) => Promise<T>
  /** What was copied, by digest and role: one content can be a manifest here and an artifact's file there. */
  readonly visited: Set<string>
  /** The manifests and indexes that were copied. */
  readonly documents: Descriptor[]
  readonly manifests: CopiedManifest[]
  readonly counters: { jobs: number; movedBlobs: number; movedBytes: number }
}

/** Resolves with the document, or undefined when it was copied before. */
async function copyDocument(
  state: CopyState,
  descriptor: Descriptor,
  parents: readonly Descriptor[],
  check?: (document: Manifest | Index) => void,
): Promise<Manifest | Index | undefined> {
  const { options } = state
  state.signal.throwIfAborted()
  if (parents.length >= maxDepth)
    throw graphLimit(descriptor, `indexes nest deeper than ${maxDepth}`)
  const visit = `document ${descriptor.digest}`
  if (state.visited.has(visit)) return undefined
  state.visited.add(visit)
  state.documents.push(descriptor)
  if (state.visited.size > maxDescriptors) {
    throw graphLimit(descriptor, `it leads to more than ${maxDescriptors} documents`)
  }
  const bytes = await readDocument(state, descriptor)
  const document = parseManifest(bytes, descriptor.mediaType)
  check?.(document)
  if (document.kind === 'index') {
    const chosen = options.select?.(document, descriptor) ?? document.manifests
    for (const child of chosen) {
      if (isIndexType(child.mediaType) || isManifestType(child.mediaType)) {
        await copyDocument(state, child, [...parents, descriptor])
      } else {
        await copyBlob(state, child)
      }
    }
  } else {
    await copyManifest(state, descriptor, document, parents)
  }
  await writeDocument(state, descriptor, bytes, document.subject)
  return document
}

async function copyManifest(
  state: CopyState,
  descriptor: Descriptor,
  manifest: Manifest,
  parents: readonly Descriptor[],
): Promise<void> {
  state.options.accept?.(manifest, descriptor)
  const isRead = state.options.configs !== 'copy' && isImageManifest(manifest)
  const config = isRead ? await copyConfig(state, manifest) : undefined
  state.options.onEvent?.({ type: 'manifest', descriptor, manifest })
  const diffIDs = config?.diffIDs ?? []
  if (config !== undefined && manifest.layers.every((layer) => isLayerType(layer.mediaType))) {
    if (diffIDs.length !== manifest.layers.length) {
      throw new KatmanError(
        'MANIFEST_INVALID',
        `manifest ${descriptor.digest} has ${manifest.layers.length} layers, its config has ${diffIDs.length} diffIDs`,
        { details: { digest: descriptor.digest } },
      )
    }
  }
  const blobs = config === undefined ? [manifest.config, ...manifest.layers] : manifest.layers
  await inParallel(state, blobs, (blob, position) =>
    // The statements of an attestation stand in the place of layers and are none.
    copyBlob(state, blob, isLayerType(blob.mediaType) ? diffIDs[position] : undefined),
  )
  state.manifests.push({
    descriptor,
    manifest,
    ...(config === undefined ? {} : { config }),
    parents,
  })
}

/** The config comes first, because the layers' content hashes stand in it. */
async function copyConfig(state: CopyState, manifest: Manifest): Promise<ImageConfig> {
  const bytes = await readDocument(state, manifest.config)
  const config = parseImageConfig(bytes)
  if (!state.visited.has(manifest.config.digest)) {
    state.visited.add(manifest.config.digest)
    await writeDocument(state, manifest.config, bytes)
  }
  return config
}

/** Small documents are read from the target when it has them: a second pull asks the source for nothing. */
async function readDocument(state: CopyState, descriptor: Descriptor): Promise<Uint8Array> {
  const { source, target, options } = state
  const mayReadTarget = options.readFrom !== 'source' && isReadable(target)
  if (mayReadTarget && (await target.has(descriptor, { signal: state.signal }))) {
    try {
      return await readVerified(target, descriptor, { signal: state.signal })
    } catch (error) {
      state.signal.throwIfAborted()
      if (!(error instanceof KatmanError)) throw error
    }
  }
  try {
    return await readVerified(source, descriptor, { signal: state.signal })
  } catch (error) {
    // A bit may have turned on the way: that is told by reading it once more.
    if (!isKatmanError(error, 'DIGEST_MISMATCH')) throw error
    return readVerified(source, descriptor, { signal: state.signal })
  }
}

async function writeDocument(
  state: CopyState,
  descriptor: Descriptor,
  bytes: Uint8Array,
  subject?: Descriptor,
): Promise<void> {
  const { target, signal } = state
  if (await target.has(descriptor, { signal })) {
    if (subject === undefined || !isReferrerSource(target)) return
    // A writer that was killed may have left it unlisted.
    const listed = await target.referrers(subject, { signal })
    if (listed.some(({ digest }) => digest === descriptor.digest)) return
  }
  const open = async function* (start: number): AsyncGenerator<Uint8Array> {
    yield bytes.subarray(start)
  }
  await target.write(descriptor, async (start) => open(start), { signal })
}

async function copyBlob(state: CopyState, blob: Descriptor, diffID?: Digest): Promise<void> {
  const { source, target, options, visited, counters } = state
  const isElsewhere = isForeignLayerType(blob.mediaType) && (blob.urls?.length ?? 0) > 0
  // A second config may claim another content for the same blob: that claim is checked, too.
  const claim = diffID === undefined ? blob.digest : `${blob.digest} ${diffID}`
  const visit = isElsewhere ? `elsewhere ${claim}` : claim
  if (visited.has(visit)) return
  visited.add(visit)
  const call = { signal: state.signal, diffID }
  if (await target.has(blob, call)) {
    options.onEvent?.({ type: 'present', descriptor: blob })
    return
  }
  if (isElsewhere) return
  options.onEvent?.({ type: 'queued', descriptor: blob, waiting: counters.jobs >= state.slots })
  counters.jobs++
  try {
    await state.slot(async () => {
      state.signal.throwIfAborted()
      await target.write(blob, (start) => source.open(blob, { start, signal: state.signal }), {
        ...call,
        onProgress: (progress) => {
          options.onEvent?.({ type: 'progress', descriptor: blob, progress })
        },
      })
    })
  } finally {
    counters.jobs--
  }
  counters.movedBlobs++
  counters.movedBytes += blob.size
  options.onEvent?.({ type: 'copied', descriptor: blob })
}

/** All jobs at once; the first failure stops the others and is the one thrown. */
async function inParallel<T>(
  state: CopyState,
  items: readonly T[],
  job: (item: T, position: number) => Promise<void>,
): Promise<void> {
  await Promise.allSettled(
    items.map(async (item, position) => {
      try {
        await job(item, position)
      } catch (error) {
        state.stop.abort(error)
      }
    }),
  )
  state.stop.signal.throwIfAborted()
}

function isReadable(place: Target): place is Target & Source {
  return 'open' in place && typeof place.open === 'function'
}

function graphLimit(descriptor: Descriptor, reason: string): KatmanError {
  return new KatmanError('GRAPH_LIMIT', `cannot copy ${descriptor.digest}: ${reason}`, {
    details: { digest: descriptor.digest, reason },
  })
}
