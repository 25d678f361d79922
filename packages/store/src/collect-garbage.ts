import { randomUUID } from 'node:crypto'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { type Digest, isDigest, isKatmanError } from '@katman/oci'
import type { CallOptions } from '@katman/transfer'
import { type Claim, tryClaim } from './claim.ts'
import { settleReferrers, takeBackReferrers, trashReferrers } from './collect-referrers.ts'
import type { StoreContext } from './context.ts'
import { sizeOf } from './disk-usage.ts'
import { unless } from './files.ts'
import { digestOfFileName } from './layout.ts'
import { mark, type Marks } from './mark.ts'
import { removeTree, syncFolder } from './publish.ts'
import { reapAbandoned } from './reap.ts'
import { listed } from './reference-files.ts'
import { keepReserve } from './root.ts'

export interface CollectOptions extends CallOptions {
  /** Says what would be removed, and removes nothing. */
  readonly dryRun?: boolean
  /** Content younger than this stays. Default 10 minutes. */
  readonly minAgeMs?: number
  /** Only these digests (of blobs, and diffIDs of layers) may be removed. Default: any. */
  readonly only?: Iterable<Digest>
  /**
   * Manifests of images that names shall not keep any more, though their indexes list them. What an image's record or a
   * lease holds stays.
   */
  readonly without?: Iterable<Digest>
  /** Also removes the damaged files that were set aside, whatever their age. Default false. */
  readonly quarantine?: boolean
}

export interface CollectedItem {
  readonly kind: 'blob' | 'layer' | 'ingest'
  /** Of a layer the diffID. */
  readonly digest: Digest
  readonly sizeBytes: number
}

/** A damaged file that was set aside. */
interface SetAsideItem {
  /** Its name in `quarantine/`. */
  readonly name: string
  readonly sizeBytes: number
}

export interface CollectResult {
  readonly deleted: readonly CollectedItem[]
  readonly setAside: readonly SetAsideItem[]
  readonly reclaimedBytes: number
}

const defaultMinAgeMs = 10 * 60 * 1000

/**
 * Removes what nothing leads to, one collection at a time, while others work: candidates move to `trash/`,
 * everything is marked again, what is needed after all moves back, and the rest is deleted. A writer that
 * looked before the move has put its lease down before that, and the second marking sees it; one that looks
 * after the move finds the content missing or takes it back.
 */
export async function collectGarbage(
  context: StoreContext,
  options: CollectOptions = {},
): Promise<CollectResult> {
  const without = new Set(options.without)
  const setAside = options.quarantine === true ? listQuarantine(context) : []
  if (options.dryRun) {
    return resultOf(findCandidates(context, mark(context, without), options), setAside)
  }
  openLeaseOnFullDisk(context)
  const claim = await claimCollection(context, options)
  try {
    const reaped = reapAbandoned(context)
    const deleted = await collect(context, options)
    await keepReserve(context.files, context.layout)
    for (const { name } of setAside) {
      removeTree(context.files, path.join(context.layout.folder('quarantine'), name))
    }
    return resultOf([...deleted, ...reaped], setAside)
  } finally {
    claim.release({ keep: false })
  }
}

async function collect(
  context: StoreContext,
  options: CollectOptions,
): Promise<readonly CollectedItem[]> {
  const without = new Set(options.without)
  const before = mark(context, without)
  const candidates = findCandidates(context, before, options)
  trashReferrers(context, before, new Set(candidates.map(({ digest }) => digest)))
  for (const item of candidates) {
    options.signal?.throwIfAborted()
    moveToTrash(context, item)
  }
  const trashed = listTrash(context)
  let needed: Marks
  try {
    needed = mark(context, without)
  } catch (error) {
    await takeBackReferrers(context)
    for (const item of trashed) await takeBack(context, item)
    throw error
  }
  await settleReferrers(context, needed)
  const deleted: CollectedItem[] = []
  for (const item of trashed) {
    if ((item.kind === 'layer' ? needed.layers : needed.blobs).has(item.digest)) {
      await takeBack(context, item)
    } else {
      deleteTrash(context, item)
      deleted.push(item)
    }
  }
  return deleted
}

interface TrashItem extends CollectedItem {
  readonly kind: 'blob' | 'layer'
}

function findCandidates(
  context: StoreContext,
  needed: Marks,
  options: CollectOptions,
): readonly TrashItem[] {
  const { files, layout } = context
  const only = options.only === undefined ? undefined : new Set(options.only)
  const minAgeMs = options.minAgeMs ?? defaultMinAgeMs
  const latest = context.now().getTime() - minAgeMs
  const found: TrashItem[] = []
  const consider = (kind: 'blob' | 'layer', digest: Digest, file: string, marked: Set<Digest>) => {
    if (marked.has(digest) || (only !== undefined && !only.has(digest))) return
    const facts = files.stat(file)
    if (facts === undefined || (minAgeMs > 0 && facts.modifiedAt > latest)) return
    found.push({ kind, digest, sizeBytes: sizeOf(context, file) })
  }
  for (const digest of storedBlobs(context)) {
    consider('blob', digest, layout.blob(digest), needed.blobs)
  }
  for (const name of listed(context, layout.folder('layers'))) {
    const diffID = digestOfFileName(name)
    if (diffID !== undefined) consider('layer', diffID, layout.layer(diffID), needed.layers)
  }
  return found
}

/** The digests of all blobs that are in their place. */
function storedBlobs(context: StoreContext): readonly Digest[] {
  const { layout } = context
  return (['sha256', 'sha384', 'sha512'] as const).flatMap((algorithm) =>
    listed(context, layout.folder(`blobs/${algorithm}`)).flatMap((hex) => {
      const text = `${algorithm}:${hex}`
      return isDigest(text) ? [text] : []
    }),
  )
}

/** What is in the trash, also from collections that were killed. */
function listTrash(context: StoreContext): readonly TrashItem[] {
  const { layout } = context
  return listed(context, layout.folder('trash')).flatMap((name) => {
    const [kind, rest = ''] = name.split('.')
    const digest = digestOfFileName(rest)
    if ((kind !== 'blob' && kind !== 'layer') || digest === undefined) return []
    return [{ kind, digest, sizeBytes: sizeOf(context, layout.trash(kind, digest)) }]
  })
}

function moveToTrash(context: StoreContext, { kind, digest }: TrashItem): void {
  const { files, layout } = context
  const trash = layout.trash(kind, digest)
  const place = kind === 'blob' ? layout.blob(digest) : layout.layer(digest)
  // A killed collection may have left the same layer there; it is no more needed than this one.
  if (kind === 'layer') removeTree(files, trash)
  unless(['ENOENT'], () => files.rename(place, trash))
}

async function takeBack(context: StoreContext, { kind, digest }: TrashItem): Promise<void> {
  const { files, layout } = context
  const trash = layout.trash(kind, digest)
  if (kind === 'layer') {
    const isBack = unless(['EEXIST', 'ENOTEMPTY', 'ENOENT'], () => {
      files.rename(trash, layout.layer(digest))
    })
    if (isBack) await syncFolder(files, layout.folder('layers'))
    else removeTree(files, trash)
    return
  }
  unless(['EEXIST', 'ENOENT'], () => files.link(trash, layout.blob(digest)))
  // The name in its place must be safe before the one here goes.
  await syncFolder(files, path.dirname(layout.blob(digest)))
  unless(['ENOENT'], () => files.unlink(trash))
}

function deleteTrash(context: StoreContext, { kind, digest }: TrashItem): void {
  const { files, layout, lease } = context
  const trash = layout.trash(kind, digest)
  if (kind === 'blob') {
    unless(['ENOENT'], () => files.unlink(trash))
    return
  }
  // In one step, so that nobody takes back a folder that is half deleted.
  const away = path.join(lease().temporary, randomUUID())
  if (unless(['ENOENT'], () => files.rename(trash, away))) removeTree(files, away)
}

/** A collection needs a few blocks itself: when there are none left, the reserve is for that. */
function openLeaseOnFullDisk(context: StoreContext): void {
  const { files, layout } = context
  try {
    context.lease()
  } catch (error) {
    if (!isKatmanError(error, 'STORE_FULL')) throw error
    if (!unless(['ENOENT'], () => files.unlink(layout.reserve))) throw error
    context.lease()
  }
}

async function claimCollection(context: StoreContext, { signal }: CallOptions): Promise<Claim> {
  const folder = path.join(context.layout.folder('locks'), 'collection')
  for (let delayMs = 20; ; delayMs = Math.min(delayMs * 1.5, 250)) {
    signal?.throwIfAborted()
    const claim = tryClaim(context, folder)
    if (claim !== undefined) return claim
    await wait(delayMs, undefined, signal === undefined ? {} : { signal })
  }
}

function listQuarantine(context: StoreContext): readonly SetAsideItem[] {
  const folder = context.layout.folder('quarantine')
  return listed(context, folder)
    .toSorted()
    .map((name) => ({ name, sizeBytes: sizeOf(context, path.join(folder, name)) }))
}

function resultOf(
  deleted: readonly CollectedItem[],
  setAside: readonly SetAsideItem[],
): CollectResult {
  const reclaimedBytes = [...deleted, ...setAside].reduce((sum, item) => sum + item.sizeBytes, 0)
  return { deleted, setAside, reclaimedBytes }
}
