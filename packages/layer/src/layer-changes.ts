import type { LayerEntry, LayerEntryType } from './layer-entry.ts'
import type { LayerIndex } from './layer-index.ts'
import { rootPath } from './layer-path.ts'
import { type HiddenBy, isImplied, layLayers, pathOf, type TreeNode } from './layer-tree.ts'

/** A path that a layer touched. */
export interface LayerChange {
  readonly path: string
  readonly type: LayerEntryType
  /** Bytes of content that the layer carries for it; 0 for a hard link. */
  readonly size: number
}

/** A path of a lower layer that this layer took away. */
export interface DeletedPath extends LayerChange {
  /** The layer that had brought it. */
  readonly layer: number
}

/** A path of this layer that a higher one obscures. */
export interface HiddenPath extends LayerChange {
  /** The higher layer. */
  readonly byLayer: number
  readonly by: HiddenBy
}

/** What one layer does to those below it, and those above to it. Sizes in bytes of content. */
export interface LayerChanges {
  /** New paths, made-up directories left out. */
  readonly added: readonly LayerChange[]
  /** Paths that were there and have another content, type, mode, owner or attribute now. */
  readonly changed: readonly LayerChange[]
  /** What whiteouts and opaque marks took away, everything below a removed directory too. */
  readonly deleted: readonly DeletedPath[]
  /** What of this layer a higher one replaces or deletes. */
  readonly hidden: readonly HiddenPath[]
  readonly addedBytes: number
  readonly changedBytes: number
  readonly deletedBytes: number
  /** Bytes of this layer's files that no name of the image leads to any more: shipped for nothing. */
  readonly wastedBytes: number
}

/** What each layer does, layers from bottom to top. One result a layer; linear time. Throws as `unionOf`. */
export function layerChanges(layers: readonly LayerIndex[]): readonly LayerChanges[] {
  const results = layers.map(() => createChanges())
  layLayers(layers, {
    added(node) {
      const change = changeOf(node)
      const result = results[node.layer]
      // Whiteouts of a layer come before its entries, so this one may bring back what they took.
      if (result?.deleted.delete(change.path) === true) result.existed.add(change.path)
      const target = result?.existed.has(change.path) === true ? result.changed : result?.added
      target?.set(change.path, change)
    },
    merged(node, before, beforeLayer) {
      const result = results[node.layer]
      const change = changeOf(node)
      if (beforeLayer < node.layer) {
        if (!sameMetadata(before, node.entry)) result?.changed.set(change.path, change)
      } else if (isImplied(before) && change.path !== rootPath) {
        result?.added.set(change.path, change)
      }
    },
    hidden(node, layer, by) {
      const change = changeOf(node)
      const own = results[node.layer]
      const other = results[layer]
      if (node.layer === layer) {
        own?.added.delete(change.path)
        own?.changed.delete(change.path)
      } else if (!isImplied(node.entry)) {
        own?.hidden.push({ ...change, byLayer: layer, by })
        if (by === 'replaced') other?.existed.add(change.path)
        else other?.deleted.set(change.path, { ...change, layer: node.layer })
      }
      const { file } = node
      const source = file?.names === 0 && file.layer !== layer ? results[file.layer] : undefined
      if (source !== undefined) source.wastedBytes += file?.entry.size ?? 0
    },
  })
  return results.map((result) => finish(result))
}

interface Changes {
  readonly added: Map<string, LayerChange>
  readonly changed: Map<string, LayerChange>
  readonly deleted: Map<string, DeletedPath>
  readonly hidden: HiddenPath[]
  /** Paths of lower layers that this one replaced. */
  readonly existed: Set<string>
  wastedBytes: number
}

function createChanges(): Changes {
  return {
    added: new Map(),
    changed: new Map(),
    deleted: new Map(),
    hidden: [],
    existed: new Set(),
    wastedBytes: 0,
  }
}

function finish(result: Changes): LayerChanges {
  return {
    added: [...result.added.values()],
    changed: [...result.changed.values()],
    deleted: [...result.deleted.values()],
    hidden: result.hidden,
    addedBytes: sumOf(result.added.values()),
    changedBytes: sumOf(result.changed.values()),
    deletedBytes: sumOf(result.deleted.values()),
    wastedBytes: result.wastedBytes,
  }
}

function changeOf(node: TreeNode): LayerChange {
  return { path: pathOf(node), type: node.entry.type, size: node.entry.size }
}

function sumOf(changes: Iterable<LayerChange>): number {
  let sum = 0
  for (const { size } of changes) sum += size
  return sum
}

/** Archives carry the directories above a change too; one that is as before is no change. */
function sameMetadata(a: LayerEntry, b: LayerEntry): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid && sameXattrs(a.xattrs, b.xattrs)
}

function sameXattrs(
  a: ReadonlyMap<string, Uint8Array> = new Map(),
  b: ReadonlyMap<string, Uint8Array> = new Map(),
): boolean {
  if (a.size !== b.size) return false
  for (const [name, value] of a) {
    const other = b.get(name)
    if (other === undefined || Buffer.compare(value, other) !== 0) return false
  }
  return true
}
