import path from 'node:path'
import {
  childrenOf,
  type Descriptor,
  type Digest,
  isImageManifest,
  isIndexType,
  isManifestType,
  KatmanError,
  parseManifest,
} from '@katman/oci'
import { readDocument } from './blobs.ts'
import { layersOf } from './closure.ts'
import type { StoreContext } from './context.ts'
import { errorCode } from './files.ts'
import { imageRecordOf } from './image-files.ts'
import { parseLease } from './lease.ts'
import { readRecordValue } from './record-file.ts'
import type { ReferrerRecord } from './records.ts'
import { listed, referenceRecordOf } from './reference-files.ts'
import { referrerFiles, referrerRecordOf } from './referrer-files.ts'

/** Content that something leads to. */
export interface Marks {
  readonly blobs: Set<Digest>
  /** By diffID. */
  readonly layers: Set<Digest>
}

/**
 * Finds everything that is needed. Leases are read first and names after: a name is written before the
 * lease that protected its content is given up, so in this order one of the two is always seen. What refers to
 * content that is needed is needed, too.
 * Names do not lead to the manifests in `without`, though their indexes list them.
 * Throws `STORE_DAMAGED` rather than miss something.
 */
export function mark(context: StoreContext, without: ReadonlySet<Digest> = new Set()): Marks {
  const marks: Marks = { blobs: new Set(), layers: new Set() }
  const visited = new Set<Digest>()
  const walk = createWalk(context, marks, { visited, without: new Set() })
  const walkName = createWalk(context, marks, { visited, without })
  readEach(context, 'leases', parseLease, (lease, file) => {
    if (!lease.intact) throw damaged(file)
    for (const { kind, digest, mediaType } of lease.held) {
      if (kind === 'layer') marks.layers.add(digest)
      else walk({ digest, mediaType: mediaType ?? '', size: 0 }, 'optional')
    }
  })
  readEach(context, 'refs', readRecordValue, (value, file) => {
    const record = referenceRecordOf(value)
    if (record === undefined) throw damaged(file)
    walkName(record.target, 'optional')
  })
  readEach(context, 'images', readRecordValue, (value, file) => {
    const record = imageRecordOf(value)
    if (record === undefined) throw damaged(file)
    // Only the document: what else it lists is for the names that lead to it.
    if (record.index !== undefined) marks.blobs.add(record.index.digest)
    walk(record.manifest, 'required')
  })
  const referrers = readFacts(context)
  // A set that grows while it is walked: referrers may have referrers themselves.
  for (const digest of marks.blobs) {
    for (const referrer of referrers.get(digest) ?? []) walk(referrer, 'optional')
  }
  return marks
}

function readFacts(context: StoreContext): ReadonlyMap<Digest, readonly Descriptor[]> {
  const facts = new Map<Digest, Descriptor[]>()
  const add = ({ subject, descriptor }: ReferrerRecord): void => {
    const known = facts.get(subject)
    if (known === undefined) facts.set(subject, [descriptor])
    else known.push(descriptor)
  }
  for (const file of referrerFiles(context)) {
    readOne(context, file, readRecordValue, (value) => {
      const record = referrerRecordOf(value)
      if (record === undefined) throw damaged(file)
      add(record)
    })
  }
  return facts
}

type Walk = (descriptor: Descriptor, need: 'required' | 'optional') => void

interface WalkOptions {
  readonly visited: Set<Digest>
  readonly without: ReadonlySet<Digest>
}

function createWalk(context: StoreContext, marks: Marks, { visited, without }: WalkOptions): Walk {
  const walk: Walk = (descriptor, need) => {
    const { digest, mediaType } = descriptor
    marks.blobs.add(digest)
    if (!isIndexType(mediaType) && !isManifestType(mediaType)) return
    if (visited.has(digest) && need === 'optional') return
    visited.add(digest)
    const bytes = readDocument(context, digest)
    if (bytes === undefined) {
      // An index names more than is ever pulled. But what is here and cannot be read may lead anywhere.
      if (need === 'required' || exists(context, digest)) throw damaged(context.layout.blob(digest))
      return
    }
    const document = parseManifest(bytes, mediaType)
    for (const child of childrenOf(document)) {
      if (!without.has(child.digest)) walk(child, 'optional')
    }
    if (document.kind === 'index') return
    const config = document.config.digest
    if (isImageManifest(document) && readDocument(context, config) === undefined) {
      if (need === 'required' || exists(context, config)) throw damaged(context.layout.blob(config))
      return
    }
    for (const { diffID } of layersOf(context, document)) {
      if (diffID !== undefined) marks.layers.add(diffID)
    }
  }
  return walk
}

function exists(context: StoreContext, digest: Digest): boolean {
  return context.files.stat(context.layout.blob(digest)) !== undefined
}

function readEach<T>(
  context: StoreContext,
  folderName: 'leases' | 'refs' | 'images',
  read: (bytes: Uint8Array) => T,
  use: (value: T, file: string) => void,
): void {
  const folder = context.layout.folder(folderName)
  for (const name of listed(context, folder)) {
    readOne(context, path.join(folder, name), read, use)
  }
}

function readOne<T>(
  context: StoreContext,
  file: string,
  read: (bytes: Uint8Array) => T,
  use: (value: T, file: string) => void,
): void {
  let bytes: Uint8Array
  try {
    bytes = context.files.readFile(file)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return
    throw error
  }
  use(read(bytes), file)
}

function damaged(file: string): KatmanError {
  return new KatmanError('STORE_DAMAGED', `cannot tell what is needed: ${file} is damaged`, {
    hint: 'run: katman fsck --repair',
    details: { path: file },
  })
}
