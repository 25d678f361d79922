import { type Archive, openArchive } from '@katman/archive'
import {
  defaultTag,
  type Descriptor,
  familiarReference,
  type Index,
  isIndexType,
  KatmanError,
  matchPlatforms,
  parseManifest,
  parseReference,
  type Platform,
  type Reference,
  withDefaultTag,
} from '@katman/oci'
import { findImage, loadImages, selectPlatform, type Store } from '@katman/store'
import {
  type OciLayout,
  openOciLayout,
  readVerified,
  referrerFactOf,
  type Source,
} from '@katman/transfer'
import type { Context } from './context.ts'

/** A place as it is typed: `alpine:3.20`, `docker://alpine`, `store:alpine`, `oci:./folder:tag`. */
export type PlaceName =
  | { readonly kind: 'docker' | 'store'; readonly reference: Reference }
  | {
      readonly kind: 'oci' | 'oci-archive' | 'docker-archive'
      readonly path: string
      readonly name: string | undefined
    }

/** Where a copy comes from: the place, what is copied, and the name it has there. */
export interface OpenedSource {
  readonly source: Source
  readonly root: Descriptor
  /** A name to give in a place that has names of images. */
  readonly reference: Reference | undefined
  /** False for entries of an index that the place lacks. */
  readonly has: (descriptor: Descriptor) => boolean | Promise<boolean>
}

const pathKinds = ['oci', 'oci-archive', 'docker-archive'] as const

/** Reads a place as typed. Throws `PLACE_INVALID`, `REFERENCE_INVALID`. */
export function parsePlace(text: string): PlaceName {
  for (const kind of pathKinds) {
    if (!text.startsWith(`${kind}:`)) continue
    const rest = text.slice(kind.length + 1)
    // The first colon behind the path: a name may have more.
    const found = /^([^:]+)(?::(.+))?$/.exec(rest)
    if (found === null) throw placeInvalid(text, `write ${kind}:PATH or ${kind}:PATH:NAME`)
    const [, path = '', name] = found
    return { kind, path, name }
  }
  if (text.startsWith('store:')) return { kind: 'store', reference: parseReference(text.slice(6)) }
  const name = text.startsWith('docker://') ? text.slice('docker://'.length) : text
  return { kind: 'docker', reference: parseReference(name) }
}

/** Opens the place to copy from; `stack` closes it. */
export async function openSource(
  context: Context,
  place: PlaceName,
  stack: AsyncDisposableStack,
): Promise<OpenedSource> {
  const call = { signal: context.signal }
  switch (place.kind) {
    case 'docker': {
      const remote = stack.use(await context.openRemote())
      const reference = withDefaultTag(place.reference)
      const source = remote.repository(reference)
      const root = await source.resolve(reference.digest ?? reference.tag ?? defaultTag, call)
      return { source, root, reference, has: () => true }
    }
    case 'store': {
      const store = stack.use(await context.openStore())
      return openStored(store, withDefaultTag(place.reference))
    }
    case 'oci': {
      const layout = await openOciLayout(place.path)
      const [only, second] = await layoutImages(layout)
      const root =
        place.name === undefined && only !== undefined && second === undefined
          ? only
          : await layout.resolve(place.name ?? defaultTag)
      const { annotations: _, ...descriptor } = root
      return {
        source: layout,
        root: descriptor,
        reference: undefined,
        has: (one) => layout.has(one),
      }
    }
    case 'oci-archive':
    case 'docker-archive': {
      const archive = stack.use(await openArchive(place.path, call))
      return openArchived(archive, place)
    }
  }
}

const attachmentName = /^sha(?:256|384|512)-[0-9a-f]{64,128}(?:\.(?:sig|att|sbom))?$/

/** The entries of a layout that are images and not what refers to them. */
async function layoutImages(layout: OciLayout): Promise<readonly Descriptor[]> {
  const images: Descriptor[] = []
  for (const entry of await layout.entries()) {
    const name = entry.annotations?.['org.opencontainers.image.ref.name']
    if (name !== undefined && attachmentName.test(name)) continue
    const isUnnamed = name === undefined && (await layout.has(entry))
    const bytes = isUnnamed ? await readVerified(layout, entry) : undefined
    if (bytes !== undefined && referrerFactOf(entry, bytes) !== undefined) continue
    images.push(entry)
  }
  return images
}

async function openStored(store: Store, reference: Reference): Promise<OpenedSource> {
  const { image, name } = findImage(await loadImages(store), familiarReference(reference))
  return {
    source: store,
    root: name?.record.target ?? image.record.manifest,
    reference,
    has: (descriptor) => store.has(descriptor),
  }
}

function openArchived(
  archive: Archive,
  { path, name }: { readonly path: string; readonly name: string | undefined },
): OpenedSource {
  const found =
    name === undefined
      ? archive.images.length === 1
        ? archive.images[0]
        : undefined
      : archive.images.find((image) => image.names.some((one) => sameName(one, name)))
  if (found === undefined) {
    const names = archive.images.flatMap((image) => image.names)
    throw placeInvalid(
      path,
      `choose one of its images: ${names.length === 0 ? 'they have no names' : names.join(', ')}`,
    )
  }
  const [first] = found.names
  return {
    source: archive,
    root: found.descriptor,
    reference: first === undefined ? undefined : withDefaultTag(parseReference(first)),
    has: (descriptor) => archive.has(descriptor),
  }
}

function sameName(left: string, right: string): boolean {
  const spelled = (text: string): string => familiarReference(withDefaultTag(parseReference(text)))
  return spelled(left) === spelled(right)
}

/** Goes down to the image of one platform. Throws `PLATFORM_UNKNOWN`. */
export async function narrowTo(opened: OpenedSource, platform: Platform): Promise<Descriptor> {
  let { root } = opened
  for (let depth = 0; depth < 4 && isIndexType(root.mediaType); depth++) {
    const index = await readIndex(opened.source, root)
    const [entry] = selectPlatform(index, platform)
    if (entry === undefined) break
    root = entry
  }
  return root
}

/** The image that readers of one platform see. */
export async function shownManifest(
  opened: OpenedSource,
  root: Descriptor,
  platform: Platform,
): Promise<Descriptor> {
  if (!isIndexType(root.mediaType)) return root
  const present: Descriptor[] = []
  for (const entry of (await readIndex(opened.source, root)).manifests) {
    if (entry.platform !== undefined && (await opened.has(entry))) present.push(entry)
  }
  const [best] = matchPlatforms(platform, present, (entry) => entry.platform)
  const shown = best ?? present[0]
  if (shown === undefined) throw placeInvalid(opened.source.name, 'no image of the index is there')
  return shownManifest(opened, shown, platform)
}

async function readIndex(source: Source, descriptor: Descriptor): Promise<Index> {
  const document = parseManifest(await readVerified(source, descriptor), descriptor.mediaType)
  if (document.kind === 'index') return document
  throw new TypeError(`${descriptor.digest} is no index`)
}

export function placeInvalid(text: string, reason: string): KatmanError {
  return new KatmanError('PLACE_INVALID', `${text}: ${reason}`, {
    hint: 'places are NAME or docker://NAME, store:NAME, oci:PATH[:TAG], oci-archive:FILE[:NAME], docker-archive:FILE[:NAME]',
    details: { place: text, reason },
  })
}
