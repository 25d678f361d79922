import { createHash } from 'node:crypto'
import {
  type Descriptor,
  type Digest,
  familiarName,
  familiarReference,
  type ImageConfig,
  KatmanError,
  type Manifest,
  parseDigest,
  parseImageConfig,
  parseManifest,
  parseReference,
  type Reference,
} from '@katman/oci'
import { type CallOptions, readVerified } from '@katman/transfer'
import type { ImageRecord, ImageSummary, ReferenceRecord } from '../records.ts'
import type { Store } from '../store.ts'
import { readNamedContent } from './named-content.ts'

/** One name of an image, parsed. */
export interface ImageName {
  readonly record: ReferenceRecord
  readonly reference: Reference
  /** As docker displays it: `alpine:3.20`. */
  readonly familiar: string
  /** Without tag and digest, as docker displays it. */
  readonly repository: string
}

/** An image of the store with its names. Documents are read when asked for. */
export interface ImageView {
  readonly id: Digest
  readonly record: ImageRecord
  /** Names with a tag, sorted by canonical name. */
  readonly tags: readonly ImageName[]
  /** Names with a digest, sorted by canonical name. */
  readonly digests: readonly ImageName[]
  /** True for an image without names when one leads to it all the same: to an index that has it. */
  readonly isHeld: boolean
  /** Bytes of all files of all layers. */
  readonly sizeBytes: number
  /** When it was made; the beginning of 1970 when unknown. */
  readonly created: Date
  readManifest(): Promise<Manifest>
  readConfig(): Promise<ImageConfig>
}

/** Every image of the store, newest first, then by name. */
export async function loadImages(
  store: Store,
  options: CallOptions = {},
): Promise<readonly ImageView[]> {
  const references = await store.references(options)
  const names = namesByImage(references)
  const targets = new Map(references.map(({ target }) => [target.digest, target]))
  const content = readNamedContent(store)
  const isHeld = async (record: ImageRecord): Promise<boolean> => {
    // The record knows one index: that saves to look into all.
    if (record.index !== undefined && targets.has(record.index.digest)) return true
    for (const target of targets.values()) {
      if (await content.leadsTo(target, record)) return true
    }
    return false
  }
  const views = await Promise.all(
    (await store.images(options)).map(async (record) => {
      const own = names.get(record.id) ?? []
      const held = own.length === 0 && (await isHeld(record))
      return viewImage(store, record, own, { ...options, isHeld: held })
    }),
  )
  return views.toSorted(newestFirst)
}

/** Sorts images as docker lists them, and those of one second by name. */
function newestFirst(left: ImageView, right: ImageView): number {
  return (
    seconds(right) - seconds(left) ||
    compareText(sortName(left), sortName(right)) ||
    compareText(left.id, right.id)
  )
}

export function compareText(left: string, right: string): number {
  if (left === right) return 0
  return left < right ? -1 : 1
}

/** The digests that stand for a layer with all below it, bottom first (image-spec config.md, "Layer ChainID"). */
export function chainIDs(diffIDs: readonly Digest[]): readonly Digest[] {
  const chain: Digest[] = []
  for (const diffID of diffIDs) {
    const below = chain.at(-1)
    chain.push(
      below === undefined
        ? diffID
        : parseDigest(`sha256:${createHash('sha256').update(`${below} ${diffID}`).digest('hex')}`),
    )
  }
  return chain
}

async function viewImage(
  store: Store,
  record: ImageRecord,
  names: readonly ImageName[],
  options: CallOptions & { readonly isHeld: boolean },
): Promise<ImageView> {
  let manifest: Promise<Manifest> | undefined
  let config: Promise<ImageConfig> | undefined
  const readManifest = (): Promise<Manifest> =>
    (manifest ??= readImageManifest(store, record.manifest, options))
  const readConfig = (): Promise<ImageConfig> =>
    (config ??= readManifest().then(async (document) =>
      parseImageConfig(await readVerified(store, document.config, options)),
    ))
  const { sizeBytes, created } = record.summary ?? (await summarise(store, readConfig))
  return {
    id: record.id,
    record,
    tags: names.filter((name) => name.reference.tag !== undefined),
    digests: names.filter((name) => name.reference.digest !== undefined),
    isHeld: options.isHeld,
    sizeBytes,
    created: parseTime(created),
    readManifest,
    readConfig,
  }
}

/** What lists show of an image without summary. One that cannot be read is listed all the same, to be removed or healed. */
async function summarise(
  store: Store,
  readConfig: () => Promise<ImageConfig>,
): Promise<ImageSummary> {
  try {
    const { created, diffIDs } = await readConfig()
    const sizeBytes = await contentSize(store, diffIDs)
    return created === undefined ? { sizeBytes } : { created, sizeBytes }
  } catch (error) {
    if (error instanceof KatmanError) return { sizeBytes: 0 }
    throw error
  }
}

/** Bytes of all files of some layers. */
export async function contentSize(store: Store, diffIDs: readonly Digest[]): Promise<number> {
  let size = 0
  for (const diffID of diffIDs) size += (await store.layerSize(diffID)) ?? 0
  return size
}

async function readImageManifest(
  store: Store,
  descriptor: Descriptor,
  options: CallOptions,
): Promise<Manifest> {
  const document = parseManifest(
    await readVerified(store, descriptor, options),
    descriptor.mediaType,
  )
  if (document.kind === 'manifest') return document
  throw new TypeError(`image record points to an index: ${descriptor.digest}`)
}

function namesByImage(records: readonly ReferenceRecord[]): ReadonlyMap<Digest, ImageName[]> {
  const names = new Map<Digest, ImageName[]>()
  for (const record of records) {
    const reference = parseReference(record.name)
    const name: ImageName = {
      record,
      reference,
      familiar: familiarReference(reference),
      repository: familiarName(reference),
    }
    const known = names.get(record.image)
    if (known === undefined) names.set(record.image, [name])
    else known.push(name)
  }
  for (const list of names.values()) {
    list.sort((left, right) => compareText(left.record.name, right.record.name))
  }
  return names
}

function seconds(image: ImageView): number {
  return Math.floor(image.created.getTime() / 1000)
}

function sortName(image: ImageView): string {
  return (image.tags[0] ?? image.digests[0])?.record.name ?? ''
}

function parseTime(text: string | undefined): Date {
  const time = text === undefined ? Number.NaN : Date.parse(text)
  return new Date(Number.isNaN(time) ? 0 : time)
}

/** True when no name leads to the image. */
export function isDangling(image: ImageView): boolean {
  return image.tags.length === 0 && image.digests.length === 0 && !image.isHeld
}
