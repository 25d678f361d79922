import path from 'node:path'
import type { CallOptions } from '@katman/transfer'
import type { StoreContext } from './context.ts'
import { listed } from './reference-files.ts'

/** What a store takes on the disk, in bytes. */
export interface DiskUsage {
  /** Content as distributed: compressed layers, manifests, configs. */
  readonly blobs: number
  /** Indexes of layers. */
  readonly layers: number
  /** Downloads that are under way or were broken off. */
  readonly ingest: number
  /** Being deleted. */
  readonly trash: number
  /** Damaged files, moved out of the way. */
  readonly quarantine: number
  /** Names, images, leases and unfinished files. */
  readonly other: number
  readonly total: number
}

/** Adds up the sizes of all files of a store. */
export function diskUsage(context: StoreContext, options: CallOptions = {}): DiskUsage {
  const size = (folder: Parameters<StoreContext['layout']['folder']>[0]): number =>
    sizeOf(context, context.layout.folder(folder), options)
  const blobs = size('blobs')
  const layers = size('layers')
  const ingest = size('ingest')
  const trash = size('trash')
  const quarantine = size('quarantine')
  const total = sizeOf(context, context.layout.root, options)
  const other = Math.max(0, total - blobs - layers - ingest - trash - quarantine)
  return { blobs, layers, ingest, trash, quarantine, other, total }
}

/** The bytes of a file, or of all files in a folder. What vanishes meanwhile counts nothing. */
export function sizeOf(context: StoreContext, target: string, options: CallOptions = {}): number {
  options.signal?.throwIfAborted()
  const facts = context.files.stat(target)
  if (facts?.kind !== 'folder') return facts?.size ?? 0
  return listed(context, target).reduce(
    (sum, name) => sum + sizeOf(context, path.join(target, name), options),
    0,
  )
}
