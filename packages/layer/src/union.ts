import type { LayerEntry } from './layer-entry.ts'
import type { LayerIndex } from './layer-index.ts'
import { rootPath } from './layer-path.ts'
import { layLayers, type TreeNode } from './layer-tree.ts'

/** One path of an image. */
export interface UnionEntry {
  /**
   * What the layer says. `entry.path` may differ from the path here when the layer went through a symbolic link of its
   * own. A directory that no layer names is made up: 0755, root's, of 1970.
   */
  readonly entry: LayerEntry
  /** The layer that put the path here, 0 for the lowest. */
  readonly layer: number
  /**
   * For a hard link the entry whose content and metadata it shares and the layer which has it; absent for anything
   * else, and for a link to nothing.
   */
  readonly content?: { readonly entry: LayerEntry; readonly layer: number }
}

/**
 * The files of an image without unpacking or mounting anything: clean path to entry, a directory before what is in it.
 * The root is `.`. Layers from bottom to top. What a higher layer replaces moves behind its neighbours. Throws `LAYER_PATH_INVALID` for a chain of more than 40 symbolic links.
 */
export function unionOf(layers: readonly LayerIndex[]): ReadonlyMap<string, UnionEntry> {
  const union = new Map<string, UnionEntry>()
  const todo: [string, TreeNode][] = [[rootPath, layLayers(layers)]]
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const [path, node] = next
    union.set(path, unionEntry(node))
    const below = path === rootPath ? '' : `${path}/`
    // Pushed in reverse, so that children come out in the order of their layers.
    for (const child of [...(node.children?.values() ?? [])].toReversed()) {
      todo.push([below + child.name, child])
    }
  }
  return union
}

function unionEntry({ entry, layer, file }: TreeNode): UnionEntry {
  if (entry.type !== 'hardlink' || file === undefined) return { entry, layer }
  return { entry, layer, content: { entry: file.entry, layer: file.layer } }
}
