import {
  type Descriptor,
  type Digest,
  isAttestation,
  isIndexType,
  isManifestType,
  isUnknownPlatform,
  KatmanError,
  maxDescriptors,
  parseManifest,
} from '@katman/oci'
import {
  type CallOptions,
  findCosignTags,
  isReferrerSource,
  readVerified,
  type ReferrerSource,
  type Source,
} from '@katman/transfer'

/** Something that refers to a content, and what refers to it in turn. */
export interface ReferrerNode {
  readonly descriptor: Descriptor
  /** By its subject, by a tag of cosign's, or as an entry of the image's index (BuildKit). */
  readonly by: 'subject' | 'tag' | 'index'
  readonly tag?: string
  /** What in-toto statements it holds. */
  readonly predicateTypes: readonly string[]
  readonly referrers: readonly ReferrerNode[]
}

/** An image with what refers to it; of an index also each image of it that something refers to. */
export interface ReferrerTree {
  readonly descriptor: Descriptor
  readonly referrers: readonly ReferrerNode[]
  readonly manifests: readonly ReferrerTree[]
}

export interface ReferrerTreeOptions extends CallOptions {
  /** False for entries of an index that the place lacks. */
  readonly has: (descriptor: Descriptor) => boolean | Promise<boolean>
  /** Only these of what refers to the image itself. */
  readonly artifactType?: string | undefined
}

const maxDepth = 8
/** Where in-toto, oras' users and Sigstore say what a statement is about. */
const predicateKeys = [
  'in-toto.io/predicate-type',
  'predicateType',
  'dev.sigstore.bundle.predicateType',
]

/**
 * Collects everything that refers to an image: by subject, by cosign's tags, and BuildKit's attestations in its index.
 * Throws `REFERRERS_UNSUPPORTED`, `GRAPH_LIMIT`.
 */
export async function readReferrerTree(
  source: Source,
  root: Descriptor,
  options: ReferrerTreeOptions,
): Promise<ReferrerTree> {
  if (!isReferrerSource(source)) throw unsupported(source)
  const reader: Reader = { source, options, seen: new Set() }
  const entries = await entriesOf(reader, root)
  const images = entries.filter((entry) => !isAttestation(entry) && isDocument(entry))
  const subjects = [root, ...images]
  const tagged = await taggedBy(reader, subjects)
  const treeOf = async (descriptor: Descriptor): Promise<ReferrerTree> => ({
    descriptor,
    referrers: [
      ...(await referrersOf(reader, descriptor, 0)),
      ...(tagged.get(descriptor.digest) ?? []),
      ...(await attestationsOf(reader, entries, descriptor)),
    ].filter((node) => isWanted(node, options.artifactType)),
    manifests: [],
  })
  const manifests: ReferrerTree[] = []
  for (const image of images) {
    const tree = await treeOf(image)
    if (tree.referrers.length > 0) manifests.push(tree)
  }
  return { ...(await treeOf(root)), manifests }
}

interface Reader {
  readonly source: Source & ReferrerSource
  readonly options: ReferrerTreeOptions
  readonly seen: Set<Digest>
}

async function entriesOf({ source, options }: Reader, root: Descriptor) {
  if (!isIndexType(root.mediaType)) return []
  const document = parseManifest(await readVerified(source, root, options), root.mediaType)
  return document.kind === 'index' ? document.manifests : []
}

async function referrersOf(
  reader: Reader,
  subject: Descriptor,
  depth: number,
): Promise<readonly ReferrerNode[]> {
  const { source, options, seen } = reader
  const nodes: ReferrerNode[] = []
  for (const descriptor of await source.referrers(subject, { signal: options.signal })) {
    if (seen.has(descriptor.digest)) continue
    seen.add(descriptor.digest)
    if (depth === maxDepth || seen.size > maxDescriptors) throw tooMany(subject)
    nodes.push({
      descriptor,
      by: 'subject',
      predicateTypes: predicateTypesOf(descriptor),
      referrers: await referrersOf(reader, descriptor, depth + 1),
    })
  }
  return nodes
}

async function taggedBy(
  reader: Reader,
  subjects: readonly Descriptor[],
): Promise<ReadonlyMap<Digest, readonly ReferrerNode[]>> {
  const { source, options } = reader
  const resolveTag = (tag: string) => source.resolve(tag, { signal: options.signal })
  const nodes = new Map<Digest, ReferrerNode[]>()
  const digests = subjects.map(({ digest }) => digest)
  for (const { tag, subject, descriptor } of await findCosignTags(resolveTag, digests)) {
    const predicateTypes = await statementsOf(reader, descriptor)
    const list = nodes.get(subject) ?? []
    nodes.set(subject, list)
    list.push({ descriptor, by: 'tag', tag, predicateTypes, referrers: [] })
  }
  return nodes
}

/** BuildKit's attestations of one image stand beside it in the index. */
async function attestationsOf(
  reader: Reader,
  entries: readonly Descriptor[],
  { digest }: Descriptor,
): Promise<readonly ReferrerNode[]> {
  const nodes: ReferrerNode[] = []
  for (const descriptor of entries) {
    if (!isAttestation(descriptor)) continue
    if (descriptor.annotations?.['vnd.docker.reference.digest'] !== digest) continue
    const predicateTypes = await statementsOf(reader, descriptor)
    nodes.push({ descriptor, by: 'index', predicateTypes, referrers: [] })
  }
  return nodes
}

/** The predicate types that a manifest of in-toto statements announces. */
async function statementsOf(
  { source, options }: Reader,
  descriptor: Descriptor,
): Promise<readonly string[]> {
  if (!isManifestType(descriptor.mediaType) || !(await options.has(descriptor))) return []
  const bytes = await readVerified(source, descriptor, options)
  const document = parseManifest(bytes, descriptor.mediaType)
  if (document.kind !== 'manifest') return []
  return [...new Set(document.layers.flatMap(predicateTypesOf))]
}

function predicateTypesOf({ annotations }: Descriptor): readonly string[] {
  return predicateKeys.flatMap((key) => annotations?.[key] ?? []).slice(0, 1)
}

function isWanted({ descriptor }: ReferrerNode, artifactType: string | undefined): boolean {
  return artifactType === undefined || descriptor.artifactType === artifactType
}

function isDocument({ mediaType, platform }: Descriptor): boolean {
  if (platform !== undefined && isUnknownPlatform(platform)) return false
  return isManifestType(mediaType) || isIndexType(mediaType)
}

function unsupported({ name }: Source): KatmanError {
  return new KatmanError(
    'REFERRERS_UNSUPPORTED',
    `${name} does not know what refers to its images`,
    {
      hint: 'ask a registry, the store or an OCI layout',
      details: { place: name },
    },
  )
}

function tooMany({ digest }: Descriptor): KatmanError {
  return new KatmanError('GRAPH_LIMIT', `too much refers to ${digest}`, {
    hint: `at most ${maxDepth} steps and ${maxDescriptors} referrers are followed`,
    details: { digest },
  })
}
