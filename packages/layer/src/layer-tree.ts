import type { LayerEntry } from './layer-entry.ts'
import type { LayerIndex } from './layer-index.ts'
import { pathInvalid, rootPath } from './layer-path.ts'

/** A file, link, device or directory as one layer brought it. Hard links share one. */
interface TreeFile {
  /** What the layer says; made up for a directory that only its content implies. */
  readonly entry: LayerEntry
  /** The layer, 0 for the lowest. */
  readonly layer: number
  /** How many names there are in the tree now. */
  names: number
}

/** One name in the tree. */
export interface TreeNode {
  readonly parent: TreeNode | undefined
  readonly name: string
  /** The entry that put this name here: for a hard link another one than its file's. */
  entry: LayerEntry
  layer: number
  /** Undefined for a hard link to nothing. */
  file: TreeFile | undefined
  children: Map<string, TreeNode> | undefined
}

/** Why a name of a lower layer is no longer there. */
export type HiddenBy = 'replaced' | 'deleted'

/** Who hears what the layers do to the tree. */
export interface TreeEvents {
  /** `node` is now in the tree. Not called for made-up directories, nor for a directory that was there: see `merged`. */
  added?(node: TreeNode): void
  /** The directory `node` was there and got the metadata of `node.entry`; `before` is what it had. */
  merged?(node: TreeNode, before: LayerEntry, beforeLayer: number): void
  /** `node` is gone, and `layer` did it. */
  hidden?(node: TreeNode, layer: number, by: HiddenBy): void
}

/** As many symbolic links are followed as Linux does. */
const maxHops = 40

/**
 * Lays layers over each other, bottom to top (image-spec layer.md, "Applying Changesets"), and gives the root. In each
 * layer opaque marks and whiteouts come first, whatever their place; they only touch lower layers. Then entries in
 * their order: the last of one name wins, directories merge, anything else replaces with all that was below. As
 * docker unpacks each layer by itself, an entry below a symbolic link of its own layer follows that link (inside the
 * root), and one below a link or file of a lower layer puts a directory in its place. Linear in the sizes of all paths.
 *
 * Throws `LAYER_PATH_INVALID` when more than 40 symbolic links are to be followed.
 */
export function layLayers(layers: readonly LayerIndex[], events: TreeEvents = {}): TreeNode {
  const root = createNode(undefined, '', impliedDirectory(rootPath), 0)
  // The directory of the last entry, for the next one is mostly beside it.
  let last: { readonly path: string; readonly layer: number; readonly node: TreeNode } | undefined
  for (const [layer, { entries }] of layers.entries()) {
    for (const entry of entries) {
      if (entry.type === 'opaque') clear(findNode(root, entry.path), layer)
      else if (entry.type === 'whiteout') remove(findNode(root, entry.path), layer, 'deleted')
    }
    for (const entry of entries) {
      if (entry.type !== 'opaque' && entry.type !== 'whiteout') add(entry, layer)
    }
  }
  return root

  function clear(node: TreeNode | undefined, layer: number): void {
    if (node?.children === undefined) return
    const children = node.children
    node.children = new Map()
    for (const child of children.values()) forget(child, layer, 'deleted')
  }

  function remove(node: TreeNode | undefined, layer: number, by: HiddenBy): void {
    if (node?.parent === undefined) return
    node.parent.children?.delete(node.name)
    forget(node, layer, by)
  }

  /** Tells of a node that was taken out, and of all below, without recursion: a tree may be deep. */
  function forget(top: TreeNode, layer: number, by: HiddenBy): void {
    last = undefined
    const nodes = [top]
    for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
      if (node.file !== undefined) node.file.names -= 1
      events.hidden?.(node, layer, by)
      for (const child of node.children?.values() ?? []) nodes.push(child)
    }
  }

  function add(entry: LayerEntry, layer: number): void {
    if (entry.path === rootPath) {
      setMetadata(root, entry, layer)
      return
    }
    const slash = entry.path.lastIndexOf('/')
    const parent = slash === -1 ? root : directoryAt(entry, entry.path.slice(0, slash), layer)
    const name = entry.path.slice(slash + 1)
    const before = parent.children?.get(name)
    if (entry.type === 'directory' && before?.children !== undefined) {
      setMetadata(before, entry, layer)
      return
    }
    // The target is looked up first: the link may replace the directory that leads to it.
    const shared = entry.type === 'hardlink' ? linkedFile(entry, layer) : undefined
    if (shared !== undefined) shared.names += 1
    if (before !== undefined) remove(before, layer, 'replaced')
    const node = createNode(parent, name, entry, layer)
    if (entry.type === 'hardlink') node.file = shared
    events.added?.(node)
  }

  function setMetadata(node: TreeNode, entry: LayerEntry, layer: number): void {
    const { entry: before, layer: beforeLayer } = node
    node.entry = entry
    node.layer = layer
    node.file = { entry, layer, names: 1 }
    events.merged?.(node, before, beforeLayer)
  }

  function linkedFile(entry: LayerEntry, layer: number): TreeFile | undefined {
    const path = entry.linkname ?? ''
    const slash = path.lastIndexOf('/')
    const parent = slash === -1 ? root : walk(entry, path.slice(0, slash), layer, false)
    const target = parent?.children?.get(path.slice(slash + 1))
    return target?.children === undefined ? target?.file : undefined
  }

  function directoryAt(entry: LayerEntry, path: string, layer: number): TreeNode {
    if (last?.path === path && last.layer === layer) return last.node
    const node = walk(entry, path, layer, true) ?? root
    last = { path, layer, node }
    return node
  }

  /** The directory at `path`, links of this layer followed; `make`: with directories where there are none. */
  function walk(
    entry: LayerEntry,
    path: string,
    layer: number,
    make: boolean,
  ): TreeNode | undefined {
    const todo = path.split('/').toReversed()
    let node = root
    let hops = 0
    for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
      if (name === '' || name === '.') continue
      if (name === '..') {
        node = node.parent ?? root
        continue
      }
      const next = node.children?.get(name)
      if (next?.children !== undefined) {
        node = next
      } else if (next?.file?.entry.type === 'symlink' && next.layer === layer) {
        hops += 1
        if (hops > maxHops) throw pathInvalid(entry.path, 'too many symbolic links on the way')
        const target = next.file.entry.linkname ?? ''
        if (target.startsWith('/')) node = root
        todo.push(...target.split('/').toReversed())
      } else if (make) {
        if (next !== undefined) remove(next, layer, 'replaced')
        node = createNode(node, name, impliedDirectory(pathBelow(node, name)), layer)
      } else {
        return undefined
      }
    }
    return node
  }
}

/** True for a directory that no layer names: content of a real entry never starts at 0. */
export function isImplied(entry: LayerEntry): boolean {
  return entry.offset === 0
}

/** The node at a clean path, no link followed; undefined when there is none. */
function findNode(root: TreeNode, path: string): TreeNode | undefined {
  let node: TreeNode | undefined = root
  if (path === rootPath) return node
  for (const name of path.split('/')) {
    node = node.children?.get(name)
    if (node === undefined) return undefined
  }
  return node
}

/** The clean path of a node, `.` for the root. */
export function pathOf(node: TreeNode): string {
  const names: string[] = []
  for (let at: TreeNode = node; at.parent !== undefined; at = at.parent) names.push(at.name)
  return names.length === 0 ? rootPath : names.toReversed().join('/')
}

function pathBelow(node: TreeNode, name: string): string {
  return node.parent === undefined ? name : `${pathOf(node)}/${name}`
}

function createNode(
  parent: TreeNode | undefined,
  name: string,
  entry: LayerEntry,
  layer: number,
): TreeNode {
  const file = { entry, layer, names: 1 }
  const children = entry.type === 'directory' ? new Map<string, TreeNode>() : undefined
  const node = { parent, name, entry, layer, file, children }
  parent?.children?.set(name, node)
  return node
}

/** What docker makes when a layer has an entry but not the directory it is in. */
function impliedDirectory(path: string): LayerEntry {
  return { path, type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, mtime: 0, offset: 0 }
}
