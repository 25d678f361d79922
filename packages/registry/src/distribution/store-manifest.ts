import {
  childrenOf,
  type Descriptor,
  describeReferrer,
  type Digest,
  type Index,
  isForeignLayerType,
  isIndexType,
  isManifestType,
  type Manifest,
  parseManifest,
} from '@katman/oci'
import { claimBlobs } from '../metadata/blobs.ts'
import {
  addManifest,
  claimManifests,
  findManifestFacts,
  type NewManifest,
} from '../metadata/manifests.ts'
import { setTag } from '../metadata/tags.ts'
import { Refusal } from '../refusal.ts'
import { type Asked, changeRepository, type DistributionContext, type Writing } from './context.ts'

export interface ManifestToStore {
  readonly digest: Digest
  readonly mediaType: string
  readonly bytes: Uint8Array
  /** The tags that stand for it from now on. */
  readonly tags: readonly string[]
  /** Whether it may name what is not there. */
  readonly isSparse: boolean
}

/**
 * Puts a manifest into a repository and lets tags stand for it, all or nothing. `digest` is that of `bytes`. What it says as
 * parsed.
 *
 * @throws KatmanError `MANIFEST_INVALID`, `MANIFEST_UNSUPPORTED`, `JSON_INVALID`; Refusal `MANIFEST_BLOB_UNKNOWN`.
 */
export async function storeManifest(
  context: DistributionContext,
  repositoryName: string,
  { digest, mediaType, bytes, tags, isSparse }: ManifestToStore,
  asked: Asked,
): Promise<Manifest | Index> {
  const document = parseManifest(bytes, mediaType)
  await changeRepository(context, repositoryName, asked, async (writing) => {
    const { transaction, repository } = writing
    const named = await claimContent(writing, document, isSparse)
    const described = describeReferrer({ mediaType, digest, size: bytes.byteLength }, document)
    const facts = {
      mediaType,
      artifactType: described.artifactType,
      subject: document.subject?.digest,
      size: bytes.byteLength,
    }
    const isNew = await addOrClaim(writing, {
      ...facts,
      ...named,
      repositoryId: repository.id,
      digest,
      bytes,
      descriptor: document.subject === undefined ? undefined : described,
      now: asked.at,
    })
    await writing.tell({ kind: 'manifest-put', digest, ...facts, isNew })
    for (const tag of tags) {
      const previous = await setTag(transaction, {
        repositoryId: repository.id,
        tag,
        digest,
        now: asked.at,
      })
      await writing.tell({ kind: 'tag-set', tag, digest, previous })
    }
  })
  return document
}

/** Adds it, or keeps the one that is there from being removed. Whether it is new. */
async function addOrClaim(
  { transaction, repository }: Writing,
  manifest: NewManifest,
): Promise<boolean> {
  const { digest, mediaType } = manifest
  for (;;) {
    if (await addManifest(transaction, manifest)) return true
    const claimed = await claimManifests(transaction, repository.id, [digest])
    // Removed just now.
    if (!claimed.has(digest)) continue
    const earlier = await findManifestFacts(transaction, repository.id, digest)
    // The same bytes under two types are how one image is made to look like another (CVE-2021-41190).
    if (earlier?.mediaType === mediaType) return false
    throw new Refusal(400, 'MANIFEST_INVALID', `the manifest is stored as ${earlier?.mediaType}`)
  }
}

interface Named {
  readonly blobs: readonly Descriptor[]
  readonly children: readonly Digest[]
}

/** What a manifest points to must be there, except what is fetched from elsewhere and the subject. */
async function claimContent(
  { transaction, repository }: Writing,
  document: Manifest | Index,
  isSparse: boolean,
): Promise<Named> {
  const named = sorted(childrenOf(document))
  const digestsOf = (descriptors: readonly Descriptor[]): readonly Digest[] =>
    descriptors.map(({ digest }) => digest)
  const manifests =
    document.kind === 'index'
      ? await claimManifests(transaction, repository.id, digestsOf(named))
      : new Set<Digest>()
  // An index may list blobs too: a build cache does.
  const blobs = named.filter(
    ({ digest, mediaType }) =>
      !manifests.has(digest) &&
      (document.kind === 'manifest' || !(isManifestType(mediaType) || isIndexType(mediaType))),
  )
  const sizes = await claimBlobs(transaction, repository.id, digestsOf(blobs))
  for (const { digest, mediaType, size, urls = [] } of named) {
    // Clients differ in what they write as the size of a manifest; of a blob it is what is read.
    if (manifests.has(digest)) continue
    const found = sizes.get(digest)
    // A config is read here, wherever else it may be fetched from.
    const isConfig = document.kind === 'manifest' && digest === document.config.digest
    const isElsewhere = !isConfig && (isForeignLayerType(mediaType) || urls.length > 0)
    const mayMiss = isSparse || isElsewhere
    if (found === undefined ? mayMiss : found === size) continue
    const message =
      found === undefined
        ? 'manifest references a manifest or blob unknown to registry'
        : `manifest references a blob of ${found} bytes as one of ${size}`
    throw new Refusal(400, 'MANIFEST_BLOB_UNKNOWN', message, { detail: { digest } })
  }
  const areBlobs = new Set(digestsOf(blobs))
  return { blobs, children: digestsOf(named).filter((digest) => !areBlobs.has(digest)) }
}

/** Each content once, in one order: rows are locked on the way. */
function sorted(children: readonly Descriptor[]): readonly Descriptor[] {
  const byDigest = new Map(children.map((child) => [child.digest, child]))
  return [...byDigest.values()].toSorted((left, right) => (left.digest < right.digest ? -1 : 1))
}
