import {
  type Descriptor,
  type Digest,
  type Index,
  indexJson,
  indexTypeFor,
  mergeEntries,
  normalisePlatform,
  type Platform,
} from '@katman/oci'
import type { RemoteRepository } from '@katman/remote'
import type { CallOptions } from '@katman/transfer'
import { readConfigPlatform } from './config-platform.ts'
import {
  annotateEntry,
  type Annotation,
  checkAnnotations,
  indexAnnotations,
} from './imagetools-annotations.ts'
import { checkPlatform, chooseEntries } from './imagetools-platforms.ts'
import type { IndexSource } from './imagetools-sources.ts'
import { goJson } from './terminal/go-json.ts'

/** What an index is to be. */
export interface IndexWish {
  readonly annotations: readonly Annotation[]
  /** Take only these; none means all. */
  readonly platforms: readonly Platform[]
  /** Make an index of a single image, too. */
  readonly preferIndex: boolean
}

/** What is to be pushed, and where what it points to comes from. */
export interface IndexDraft {
  readonly mediaType: string
  readonly bytes: Uint8Array
  /** The entries of the index; or, of an image that is taken as it is, the image itself. */
  readonly parts: readonly { readonly part: Descriptor; readonly from: RemoteRepository }[]
}

/**
 * Makes an index of sources, byte for byte as buildx does: one index alone stays as it is; entries keep the order in
 * which they come, each digest once. One difference: when all entries are Docker's and something is to be annotated,
 * the result is an OCI index that has the annotations, where buildx drops them and makes a Docker list.
 */
export async function draftIndex(
  sources: readonly IndexSource[],
  wish: IndexWish,
  call: CallOptions,
): Promise<IndexDraft> {
  const [only, second] = sources
  if (only !== undefined && second === undefined && wish.annotations.length === 0) {
    if (only.document.kind === 'index') return narrowed(only, only.document, wish.platforms)
    if (!wish.preferIndex) {
      checkPlatform((await entryOf(only, call)).platform, wish.platforms)
      const { descriptor, bytes, repository } = only
      const { mediaType, digest, size } = descriptor
      const parts = [{ part: { mediaType, digest, size }, from: repository }]
      return { mediaType, bytes, parts }
    }
  }
  return combined(sources, wish, call)
}

/** One index, or what is left of it for the platforms. */
function narrowed(
  { bytes, descriptor, repository }: IndexSource,
  index: Index,
  platforms: readonly Platform[],
): IndexDraft {
  const manifests = chooseEntries(index.manifests, platforms)
  const parts = manifests.map((part) => ({ part, from: repository }))
  const { mediaType } = descriptor
  if (manifests.length === index.manifests.length) return { mediaType, bytes, parts }
  return { mediaType, bytes: indexBytes({ ...index, manifests }), parts }
}

async function combined(
  sources: readonly IndexSource[],
  { annotations, platforms }: IndexWish,
  call: CallOptions,
): Promise<IndexDraft> {
  const origins = new Map<Digest, RemoteRepository>()
  const found: Descriptor[] = []
  for (const source of sources) {
    const { document, repository } = source
    const entries = document.kind === 'index' ? document.manifests : [await entryOf(source, call)]
    found.push(...entries)
    for (const { digest } of entries) if (!origins.has(digest)) origins.set(digest, repository)
  }
  checkAnnotations(annotations)
  const annotated = mergeEntries(found).map((entry) => annotateEntry(entry, annotations))
  const manifests = chooseEntries(annotated, platforms)
  const mediaType = indexTypeFor({
    manifests: annotated,
    annotations: annotations.length === 0 ? undefined : {},
  })
  const bytes = indexBytes({ mediaType, manifests, annotations: indexAnnotations(annotations) })
  const parts = manifests.flatMap((part) => {
    const from = origins.get(part.digest)
    return from === undefined ? [] : [{ part, from }]
  })
  return { mediaType, bytes, parts }
}

/** An image as an entry, with the platform its config has where its descriptor says none. */
async function entryOf(source: IndexSource, call: CallOptions): Promise<Descriptor> {
  const { descriptor, document, repository } = source
  if (document.kind === 'index' || (descriptor.platform?.os && descriptor.platform.architecture)) {
    return descriptor
  }
  const platform = await readConfigPlatform(repository, document, call)
  if (platform === undefined) return descriptor
  return { ...descriptor, platform: { ...normalisePlatform(platform), ...descriptor.platform } }
}

/** The JSON as Go writes it: indented, annotations sorted, what is empty left out. */
function indexBytes(index: Omit<Index, 'kind'>): Uint8Array {
  const draft = {
    ...index,
    manifests: index.manifests.map(withSortedAnnotations),
    annotations: sorted(index.annotations),
  }
  return Buffer.from(goJson(indexJson(draft), '  '))
}

function withSortedAnnotations(entry: Descriptor): Descriptor {
  const { annotations, ...rest } = entry
  const known = sorted(annotations)
  return known === undefined ? rest : { ...rest, annotations: known }
}

function sorted(
  annotations: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> | undefined {
  const entries = Object.entries(annotations ?? {})
  if (entries.length === 0) return undefined
  return Object.fromEntries(entries.toSorted(([left], [right]) => (left < right ? -1 : 1)))
}
