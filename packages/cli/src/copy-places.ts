import { type Archive, type ArchiveImage, openArchive } from '@katman/archive'
import {
  canonicalName,
  defaultTag,
  type Descriptor,
  familiarReference,
  type Index,
  isAttachmentTag,
  isIndexType,
  isReference,
  KatmanError,
  matchPlatforms,
  parseManifest,
  parseReference,
  type Platform,
  type Reference,
  withDefaultTag,
} from '@katman/oci'
import { findImage, loadImages, type Store } from '@katman/store'
import {
  type CallOptions,
  type OciLayout,
  openOciLayout,
  readVerified,
  referrerFactOf,
  type Source,
} from '@katman/transfer'
import { type FilePlace, fixedPath } from './admit.ts'
import type { Context } from './context.ts'
import { standardInput } from './standard-input.ts'

/** A place as it is typed: `alpine:3.20`, `docker://alpine`, `store:alpine`, `oci:./folder:tag`. */
export type PlaceName =
  | { readonly kind: 'docker' | 'store'; readonly reference: Reference }
  | {
      readonly kind: 'oci' | 'oci-archive' | 'docker-archive'
      readonly path: string
      readonly name: string | undefined
    }
  /** `-`: an archive on standard input or output. */
  | { readonly kind: 'stream' }

type ArchiveName = Exclude<PlaceName, { readonly reference: Reference } | { readonly kind: 'oci' }>

/** Where a copy comes from: the place, what is copied, and the names it has there. */
export interface OpenedSource {
  readonly source: Source
  readonly root: Descriptor
  /** A name to give in a place that has names of images. */
  readonly reference: Reference | undefined
  /** A tag, or the name an OCI layout has for it. */
  readonly tag: string | undefined
  /** False for entries of an index that the place lacks. */
  readonly has: (descriptor: Descriptor) => boolean | Promise<boolean>
  /** What the signature policy is asked for a file or folder. */
  readonly found?: FilePlace
}

const pathKinds = ['oci', 'oci-archive', 'docker-archive'] as const

/** Reads a place as typed. Throws `PLACE_INVALID`, `REFERENCE_INVALID`. */
export function parsePlace(text: string): PlaceName {
  if (text === '-') return { kind: 'stream' }
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
  switch (place.kind) {
    case 'docker': {
      const remote = stack.use(await context.openRemote())
      return openTag(remote.repository(place.reference), withDefaultTag(place.reference), context)
    }
    case 'store': {
      const store = stack.use(await context.openStore())
      return openStored(store, withDefaultTag(place.reference))
    }
    case 'oci': {
      const layout = await openOciLayout(await fixedPath(context.env, place.path))
      const [only, second] = await layoutImages(layout)
      const root =
        place.name === undefined && only !== undefined && second === undefined
          ? only
          : await layout.resolve(place.name ?? defaultTag)
      return openEntry(layout, root)
    }
    case 'oci-archive':
    case 'docker-archive':
    case 'stream': {
      const archive = await openTyped(context, place, stack)
      const images = archive.images.map((image) => openArchived(archive, image, place))
      const name = place.kind === 'stream' ? undefined : place.name
      return chooseArchived(archive, images, name)
    }
  }
}

/** Opens everything that has a name in the place: all tags of a repository, all images of a layout or an archive. */
export async function openAllTags(
  context: Context,
  place: PlaceName,
  stack: AsyncDisposableStack,
): Promise<readonly OpenedSource[]> {
  if ('reference' in place) {
    const { tag, digest } = place.reference
    if (tag !== undefined || digest !== undefined) {
      throw placeInvalid(familiarReference(place.reference), 'with all tags, give the name alone')
    }
  } else if (place.kind !== 'stream' && place.name !== undefined) {
    throw placeInvalid(place.path, 'with all tags, give the path alone')
  }
  switch (place.kind) {
    case 'docker': {
      const remote = stack.use(await context.openRemote())
      const repository = remote.repository(place.reference)
      const opened: OpenedSource[] = []
      for await (const tag of repository.tags({ signal: context.signal })) {
        if (isAttachmentTag(tag)) continue
        opened.push(await openTag(repository, { ...place.reference, tag }, context))
      }
      return opened
    }
    case 'store': {
      const store = stack.use(await context.openStore())
      const repository = canonicalName(place.reference)
      return (await loadImages(store))
        .flatMap((image) => image.tags)
        .filter(({ reference }) => canonicalName(reference) === repository)
        .map(({ record, reference }) => storedAs(store, record.target, reference))
    }
    case 'oci': {
      const layout = await openOciLayout(await fixedPath(context.env, place.path))
      const images = await layoutImages(layout)
      return images.map((entry) => openEntry(layout, entry))
    }
    case 'oci-archive':
    case 'docker-archive':
    case 'stream': {
      const archive = await openTyped(context, place, stack)
      return archive.images.flatMap((image) =>
        image.names.length < 2
          ? [openArchived(archive, image, place)]
          : image.names.map((name) => openArchived(archive, { ...image, names: [name] }, place)),
      )
    }
  }
}

async function openTag(
  source: Source,
  reference: Reference,
  { signal }: Context,
): Promise<OpenedSource> {
  const wanted = reference.digest ?? reference.tag ?? defaultTag
  const root = await source.resolve(wanted, { signal })
  return { source, root, reference, tag: reference.tag, has: () => true }
}

function openEntry(layout: OciLayout, entry: Descriptor): OpenedSource {
  const { annotations, ...root } = entry
  const name = annotations?.[layoutName]
  return {
    source: layout,
    root,
    reference: undefined,
    tag: name,
    has: (one) => layout.has(one),
    found: { kinds: ['oci'], file: layout.folder, names: name === undefined ? [] : [name] },
  }
}

async function openTyped(
  context: Context,
  place: ArchiveName,
  stack: AsyncDisposableStack,
): Promise<Archive> {
  if (place.kind === 'stream' && context.stdin.isTTY) {
    throw placeInvalid('-', 'standard input is a terminal: pipe an archive in')
  }
  const from =
    place.kind === 'stream' ? standardInput(context) : await fixedPath(context.env, place.path)
  const archive = stack.use(await openArchive(from, { signal: context.signal }))
  const { kinds } = archive
  if (place.kind !== 'stream' && !kinds.includes(place.kind)) {
    throw placeInvalid(`${place.kind}:${place.path}`, `it is no ${place.kind}, but ${kinds[0]}`)
  }
  return archive
}

const layoutName = 'org.opencontainers.image.ref.name'

/** The entries of a layout that are images and not what refers to them. */
async function layoutImages(layout: OciLayout): Promise<readonly Descriptor[]> {
  const images: Descriptor[] = []
  for (const entry of await layout.entries()) {
    const name = entry.annotations?.[layoutName]
    if (name !== undefined && isAttachmentTag(name)) continue
    const isUnnamed = name === undefined && (await layout.has(entry))
    const bytes = isUnnamed ? await readVerified(layout, entry) : undefined
    if (bytes !== undefined && referrerFactOf(entry, bytes) !== undefined) continue
    images.push(entry)
  }
  return images
}

async function openStored(store: Store, reference: Reference): Promise<OpenedSource> {
  const { image, name } = findImage(await loadImages(store), familiarReference(reference))
  return storedAs(store, name?.record.target ?? image.record.manifest, reference)
}

function storedAs(store: Store, root: Descriptor, reference: Reference): OpenedSource {
  return { source: store, root, reference, tag: reference.tag, has: (one) => store.has(one) }
}

function chooseArchived(
  archive: Archive,
  images: readonly OpenedSource[],
  name: string | undefined,
): OpenedSource {
  const [only, second] = images
  if (name === undefined && only !== undefined && second === undefined) return only
  const position = archive.images.findIndex(
    ({ names, tags = [] }) =>
      name !== undefined && (tags.includes(name) || names.some((one) => sameName(one, name))),
  )
  const found = images[position]
  if (found !== undefined) return found
  const names = archive.images.flatMap(({ names, tags = [] }) => [...names, ...tags])
  throw placeInvalid(
    archive.name,
    `choose one of its images: ${names.length === 0 ? 'they have no names' : names.join(', ')}`,
  )
}

function openArchived(archive: Archive, image: ArchiveImage, place: ArchiveName): OpenedSource {
  const [first] = image.names
  const reference =
    first === undefined || !isReference(first) ? undefined : withDefaultTag(parseReference(first))
  return {
    source: archive,
    root: image.descriptor,
    reference,
    tag: reference?.tag,
    has: (descriptor) => archive.has(descriptor),
    found: {
      // As it was typed, and as it is read.
      kinds: place.kind === 'stream' ? archive.kinds : [...new Set([place.kind, archive.kinds[0]])],
      file: archive.file,
      names: image.names,
      references: reference === undefined ? [] : [reference],
    },
  }
}

function sameName(left: string, right: string): boolean {
  if (!isReference(left) || !isReference(right)) return left === right
  const spelled = (text: string): string => familiarReference(withDefaultTag(parseReference(text)))
  return spelled(left) === spelled(right)
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

export async function readIndex(
  source: Source,
  descriptor: Descriptor,
  call: CallOptions = {},
): Promise<Index> {
  const document = parseManifest(await readVerified(source, descriptor, call), descriptor.mediaType)
  if (document.kind === 'index') return document
  throw new TypeError(`${descriptor.digest} is no index`)
}

export function placeInvalid(text: string, reason: string): KatmanError {
  return new KatmanError('PLACE_INVALID', `${text}: ${reason}`, {
    hint: 'places are NAME or docker://NAME, store:NAME, oci:PATH[:TAG], oci-archive:FILE[:NAME], docker-archive:FILE[:NAME], - for an archive on standard input or output',
    details: { place: text, reason },
  })
}
