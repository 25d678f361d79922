import {
  type DeletedPath,
  dockerSize,
  type HiddenPath,
  layerChanges,
  type LayerChange,
  type LayerEntry,
} from '@katman/layer'
import type { Digest } from '@katman/oci'
import type { ImageLayers } from './image-layers.ts'

/** What one layer is and does. Numbers of layers count from 1, the lowest. */
export interface LayerReport {
  readonly layer: number
  /** Digest of the uncompressed layer. */
  readonly diffID: Digest
  /** The layer as it is transferred. */
  readonly digest: Digest
  readonly mediaType: string
  readonly downloadBytes: number
  /** Bytes of the uncompressed archive. */
  readonly archiveBytes: number
  /** Bytes of all files and symlink targets: docker's size of a layer. */
  readonly sizeBytes: number
  /** The instruction that made it; empty when the image does not say. */
  readonly createdBy: string
  readonly created?: string
  readonly comment?: string
  readonly added: readonly LayerChange[]
  readonly changed: readonly LayerChange[]
  readonly deleted: readonly DeletedPath[]
  readonly hidden: readonly HiddenPath[]
  readonly addedBytes: number
  readonly changedBytes: number
  readonly deletedBytes: number
  /** Bytes of its files that no name of the image leads to any more. */
  readonly wastedBytes: number
  /** Every entry of the archive, in its order. */
  readonly entries: readonly LayerEntry[]
}

/** Joins what each layer holds with the step that made it and with what it does to the others, bottom first. */
export function reportLayers(image: ImageLayers): readonly LayerReport[] {
  const steps = image.config.history.filter((step) => !step.emptyLayer)
  const changes = layerChanges(image.layers.map(({ index }) => index))
  return image.layers.map(({ descriptor, index }, position) => {
    const step = steps[position]
    const change = changes[position]
    if (change === undefined) throw new RangeError(`no changes of layer ${position}`)
    return {
      layer: position + 1,
      diffID: index.diffID,
      digest: descriptor.digest,
      mediaType: descriptor.mediaType,
      downloadBytes: descriptor.size,
      archiveBytes: index.size,
      sizeBytes: index.entries.reduce((sum, entry) => sum + dockerSize(entry), 0),
      createdBy: step?.createdBy ?? '',
      ...(step?.created === undefined ? {} : { created: step.created }),
      ...(step?.comment ? { comment: step.comment } : {}),
      ...change,
      deleted: change.deleted.map((path) => ({ ...path, layer: path.layer + 1 })),
      hidden: change.hidden.map((path) => ({ ...path, byLayer: path.byLayer + 1 })),
      entries: index.entries,
    }
  })
}
