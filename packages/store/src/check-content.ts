import {
  type Descriptor,
  type Digest,
  isForeignLayerType,
  parseImageConfig,
  parseManifest,
} from '@katman/oci'
import { type CheckState, type NeededContent, report, visit } from './check-state.ts'
import { quarantine, readDocument } from './blobs.ts'
import { layersOf, manifestsOf } from './closure.ts'
import { writeImage } from './image-files.ts'
import { fileName } from './layout.ts'
import type { ImageRecord, ReferenceRecord } from './records.ts'
import { checkRecorded } from './check-referrers.ts'
import { refetch } from './refetch.ts'
import { referrerRecordFor } from './referrer-files.ts'

/**
 * Walks from the names and images over their documents, finds what they need, and heals the documents, so
 * that the layers they lead to are known.
 */
export async function checkContent(state: CheckState): Promise<void> {
  for (const reference of state.references) {
    const from = reference.from ?? reference.name.replace(/(?:@.*|:[^/:]*)$/, '')
    await checkDocument(state, reference.target, new Set([from]))
    await checkImageOf(state, reference, from)
  }
  for (const image of state.images) await checkImage(state, image)
  await checkReferrerContent(state)
}

/** What refers to needed content is needed, too, and may have referrers itself: a map that grows while it is walked. */
async function checkReferrerContent(state: CheckState): Promise<void> {
  const referrers = new Map<Digest, readonly Descriptor[]>()
  for (const { subject, descriptor } of state.referrers) {
    referrers.set(subject, [...(referrers.get(subject) ?? []), descriptor])
  }
  for (const { descriptor, from } of state.needed.values()) {
    for (const referrer of referrers.get(descriptor.digest) ?? []) {
      await checkManifest(state, referrer, from)
    }
  }
}

async function checkImage(state: CheckState, image: ImageRecord): Promise<void> {
  const from = new Set(image.from ?? [])
  if (image.index !== undefined) await checkDocument(state, image.index, from)
  await checkManifest(state, image.manifest, from)
}

async function checkManifest(
  state: CheckState,
  descriptor: Descriptor,
  from: ReadonlySet<string>,
): Promise<void> {
  const bytes = await checkDocument(state, descriptor, from)
  if (bytes === undefined) return
  const manifest = parseManifest(bytes, descriptor.mediaType)
  if (manifest.kind === 'index') return
  await checkDocument(state, manifest.config, from)
  for (const { layer, diffID } of layersOf(state.context, manifest)) {
    // A foreign layer may be elsewhere for good.
    const isHere = state.context.files.stat(state.context.layout.blob(layer.digest)) !== undefined
    if (isForeignLayerType(layer.mediaType) && layer.urls !== undefined && !isHere) continue
    need(state, layer, from, diffID)
  }
}

/** A name's image has a record; a lost one can be made from the name. */
async function checkImageOf(
  state: CheckState,
  reference: ReferenceRecord,
  from: string,
): Promise<void> {
  const { context } = state
  if (state.images.some((image) => image.id === reference.image)) return
  const file = context.layout.image(reference.image)
  const problem = `is missing; ${reference.name} shows it`
  const rebuild = async (): Promise<boolean> => {
    const manifest = manifestsOf(context, reference.target).find(
      (candidate) => candidate.manifest.config.digest === reference.image,
    )
    if (manifest === undefined) return false
    // Its config may have to be fetched first: without it nothing can be said of the image.
    await checkManifest(state, manifest.descriptor, new Set([from]))
    const config = readDocument(context, reference.image)
    if (config === undefined) return false
    const isChild = manifest.descriptor.digest !== reference.target.digest
    const image: ImageRecord = {
      id: reference.image,
      manifest: manifest.descriptor,
      ...(isChild ? { index: reference.target } : {}),
      platform: parseImageConfig(config).platform,
      addedAt: reference.updatedAt,
      from: [from],
    }
    await writeImage(context, image)
    state.images.push(image)
    return true
  }
  // One that could not be read was put aside, and every name of the image leads here: all are one problem.
  const known = state.problems.find((earlier) => earlier.path === file)
  if (known === undefined) {
    const found = { kind: 'image', path: file, digest: reference.image, problem } as const
    await report(state, found, rebuild)
  } else if (state.options.repair !== undefined) {
    known.repaired = await rebuild()
  }
}

/** Checks a document that is needed and returns it when it is whole, now or again. */
async function checkDocument(
  state: CheckState,
  descriptor: Descriptor,
  from: ReadonlySet<string>,
): Promise<Uint8Array | undefined> {
  const { context } = state
  const { digest } = descriptor
  const isKnown = state.needed.has(digest)
  const needed = need(state, descriptor, from, undefined)
  const bytes = readDocument(context, digest)
  if (isKnown) return bytes
  if (bytes !== undefined) {
    const record = referrerRecordFor(context, descriptor)
    if (record !== undefined) await checkRecorded(state, record)
    return bytes
  }
  const file = context.layout.blob(digest)
  visit(state, file)
  const isMissing = context.files.stat(file) === undefined
  const problem = isMissing ? 'is missing' : 'is not the content its name says'
  await report(state, { kind: 'blob', path: file, digest, problem }, async () => {
    if (!isMissing) quarantine(context, file, `blob.${fileName(digest)}`)
    return refetch(state, needed)
  })
  return readDocument(context, digest)
}

function need(
  state: CheckState,
  descriptor: Descriptor,
  from: ReadonlySet<string>,
  diffID: Digest | undefined,
): NeededContent {
  const known = state.needed.get(descriptor.digest)
  const needed: NeededContent = {
    descriptor,
    from: new Set([...(known?.from ?? []), ...from]),
    diffID: diffID ?? known?.diffID,
  }
  state.needed.set(descriptor.digest, needed)
  return needed
}
