import {
  type Descriptor,
  isIndexType,
  isKatmanError,
  isManifestType,
  maxDocumentBytes,
  parseManifest,
  referrersTag,
} from '@katman/oci'
import { openBlob, writeBlob } from './layout-blobs.ts'
import { changeLayoutIndex, nameOf, readLayoutIndex, withName } from './layout-index.ts'
import { encodeReferrersIndex, type ReferrerFact, referrerFactOf } from './referrers.ts'
import { readVerified } from './verify.ts'

/**
 * What refers to a content of a layout: what the index tagged for it lists (as regctl writes it), and every entry of
 * `index.json` that names it as its subject (as oras writes it).
 */
export async function readLayoutReferrers(
  folder: string,
  subject: Pick<Descriptor, 'digest'>,
): Promise<readonly Descriptor[]> {
  const { manifests } = await readLayoutIndex(folder)
  const found = [...(await listedByTag(folder, manifests, subject))]
  for (const entry of manifests) {
    const fact = await factOf(folder, entry)
    if (fact?.subject.digest === subject.digest) found.push(fact.referrer)
  }
  return found
}

/** Lists what was just written with what refers to its subject. Both oras and regctl find it by the tagged index. */
export async function recordLayoutReferrer(folder: string, written: Descriptor): Promise<void> {
  const fact = await factOf(folder, written)
  if (fact === undefined) return
  await changeLayoutIndex(folder, async (entries) => {
    if (entries.some((entry) => entry.digest === written.digest)) return undefined
    const listed = await listedByTag(folder, entries, fact.subject)
    if (listed.some((entry) => entry.digest === written.digest)) return undefined
    const { descriptor, bytes } = encodeReferrersIndex([...listed, fact.referrer])
    await writeBlob(folder, descriptor, async () => once(bytes), {})
    return withName(entries, referrersTag(fact.subject.digest), descriptor)
  })
}

async function listedByTag(
  folder: string,
  entries: readonly Descriptor[],
  subject: Pick<Descriptor, 'digest'>,
): Promise<readonly Descriptor[]> {
  const tag = referrersTag(subject.digest)
  const entry = entries.findLast((one) => nameOf(one) === tag)
  if (entry === undefined || !isIndexType(entry.mediaType)) return []
  const document = parseManifest(await readDocument(folder, entry), entry.mediaType)
  return document.kind === 'index' ? document.manifests : []
}

async function factOf(folder: string, entry: Descriptor): Promise<ReferrerFact | undefined> {
  if (!isIndexType(entry.mediaType) && !isManifestType(entry.mediaType)) return undefined
  if (entry.size > maxDocumentBytes) return undefined
  try {
    return referrerFactOf(entry, await readDocument(folder, entry))
  } catch (error) {
    // A layout may name what it does not hold.
    if (isKatmanError(error, 'BLOB_UNKNOWN')) return undefined
    throw error
  }
}

function readDocument(folder: string, descriptor: Descriptor): Promise<Uint8Array> {
  const name = `OCI layout ${folder}`
  return readVerified({ name, open: (one) => openBlob(folder, one, {}) }, descriptor)
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
