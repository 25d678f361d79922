import path from 'node:path'
import {
  type Descriptor,
  describeReferrer,
  type Digest,
  type Index,
  isDigest,
  isIndexType,
  isManifestType,
  KatmanError,
  type Manifest,
  parseManifest,
} from '@katman/oci'
import { readDocument } from './blobs.ts'
import type { StoreContext } from './context.ts'
import { descriptorOf } from './descriptor-record.ts'
import { errorCode } from './files.ts'
import { digestOfFileName } from './layout.ts'
import { ensureFolder, replaceFile, syncFolder } from './publish.ts'
import { encodeRecord, readRecord } from './record-file.ts'
import type { ReferrerRecord } from './records.ts'
import { listed } from './reference-files.ts'

/**
 * Everything that says it refers to a content. Facts that cannot be read are left to fsck. What a collection has moved
 * away and may bring back is among them.
 */
export function readReferrers(context: StoreContext, subject: Digest): readonly Descriptor[] {
  const { layout } = context
  const folder = layout.referrers(subject)
  const found = new Map<Digest, Descriptor>()
  const read = (files: readonly string[]): void => {
    for (const file of files) {
      const record = readReferrerFile(context, file)
      if (record?.subject === subject && refersTo(context, record)) {
        found.set(record.descriptor.digest, record.descriptor)
      }
    }
  }
  const inPlace = (): readonly string[] =>
    listed(context, folder).map((name) => path.join(folder, name))
  read(inPlace())
  const trashed = trashedReferrerFiles(context)
  if (trashed.length > 0) {
    read(trashed)
    read(inPlace())
  }
  return [...found.values()].toSorted((a, b) => (a.digest < b.digest ? -1 : 1))
}

/** What is only attached by a tag is no referrer. */
function refersTo(context: StoreContext, { subject, descriptor, tags }: ReferrerRecord): boolean {
  return tags === undefined || referrerRecordFor(context, descriptor)?.subject === subject
}

/** What is attached to a content by tags: the facts that are in place, or in the trash. */
export function readTagged(context: StoreContext, subject: Digest): readonly ReferrerRecord[] {
  const { layout } = context
  const folder = layout.referrers(subject)
  const inPlace = listed(context, folder).map((name) => path.join(folder, name))
  return [...inPlace, ...trashedReferrerFiles(context)].flatMap((file) => {
    const record = readReferrerFile(context, file)
    return record?.subject === subject && record.tags !== undefined ? [record] : []
  })
}

/** The files of all facts, with those that a collection has moved away. */
export function referrerFiles(context: StoreContext): readonly string[] {
  const { layout } = context
  const inPlace = (): readonly string[] =>
    listed(context, layout.folder('referrers')).flatMap((name) => {
      const subject = digestOfFileName(name)
      if (subject === undefined) return []
      const folder = layout.referrers(subject)
      return listed(context, folder).map((file) => path.join(folder, file))
    })
  const before = inPlace()
  const trashed = trashedReferrerFiles(context)
  // One may be on its way from here to there, or back.
  return trashed.length === 0 ? before : [...new Set([...before, ...trashed, ...inPlace()])]
}

export function trashedReferrerFiles(context: StoreContext): readonly string[] {
  const trash = context.layout.folder('trash')
  return listed(context, trash)
    .filter((name) => name.startsWith('referrer.'))
    .map((name) => path.join(trash, name))
}

/** The subject a manifest or index of the store refers to, with the fact to keep; undefined when it has none. */
export function referrerRecordFor(
  context: StoreContext,
  descriptor: Descriptor,
): ReferrerRecord | undefined {
  const document = readManifest(context, descriptor)
  if (document?.subject === undefined) return undefined
  return { subject: document.subject.digest, descriptor: describeReferrer(descriptor, document) }
}

/** The fact that content refers to other content and that the store does not know yet. */
export function unknownReferrer(
  context: StoreContext,
  descriptor: Descriptor,
): ReferrerRecord | undefined {
  const record = referrerRecordFor(context, descriptor)
  if (record === undefined) return undefined
  const file = context.layout.referrer(record.subject, descriptor.digest)
  return context.files.stat(file) === undefined ? record : undefined
}

export async function writeReferrer(context: StoreContext, record: ReferrerRecord): Promise<void> {
  const { files, layout, lease } = context
  const { subject, descriptor } = record
  const bytes = encodeRecord(record)
  for (let attempt = 0; ; attempt++) {
    ensureFolder(files, layout.referrers(subject))
    await syncFolder(files, layout.folder('referrers'))
    try {
      const file = layout.referrer(subject, descriptor.digest)
      await replaceFile(files, file, bytes, lease().temporary)
      return
    } catch (error) {
      // A collection may have removed the empty folder meanwhile.
      if (errorCode(error) !== 'ENOENT' || attempt === 8) throw error
    }
  }
}

/** Checks what a record says. */
export function referrerRecordOf(value: unknown): ReferrerRecord | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { subject, descriptor: given, tags } = value as Record<string, unknown>
  const descriptor = descriptorOf(given)
  if (typeof subject !== 'string' || !isDigest(subject) || descriptor === undefined)
    return undefined
  if (tags === undefined) return { subject, descriptor }
  return isTextMap(tags) ? { subject, descriptor, tags } : undefined
}

function isTextMap(value: unknown): value is Readonly<Record<string, string>> {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((one) => typeof one === 'string')
  )
}

/** Content that claims to be a manifest may be anything: then it refers to nothing. */
function readManifest(
  context: StoreContext,
  { digest, mediaType }: Descriptor,
): Manifest | Index | undefined {
  if (!isIndexType(mediaType) && !isManifestType(mediaType)) return undefined
  const bytes = readDocument(context, digest)
  if (bytes === undefined) return undefined
  try {
    return parseManifest(bytes, mediaType)
  } catch (error) {
    if (error instanceof KatmanError) return undefined
    throw error
  }
}

function readReferrerFile(context: StoreContext, file: string): ReferrerRecord | undefined {
  try {
    return referrerRecordOf(readRecord(context.files, file))
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}
