import type { Digest } from '@katman/oci'
import type { LayerIndex } from '@katman/layer'
import type { CallOptions, Source, Target } from '@katman/transfer'
import type { ImageRecord, ReferenceRecord } from './records.ts'

/**
 * The local place. Many processes open the same root at once; the file system is the truth.
 * `resolve` takes canonical names and digests of content. Everything written or found by `has` is held by
 * this handle's lease until it is closed.
 */
export interface Store extends Source, Target, AsyncDisposable {
  readonly root: string
  /** Every name, sorted by name. */
  references(options?: CallOptions): Promise<readonly ReferenceRecord[]>
  /** Points a name at content, which must be complete. Replaces what it meant. */
  setReference(record: ReferenceRecord): Promise<void>
  /** Forgets a name. False when it was not there. */
  removeReference(name: string): Promise<boolean>
  images(options?: CallOptions): Promise<readonly ImageRecord[]>
  /** Records an image whose manifest, config and layers are complete. Idempotent; newer facts replace. */
  putImage(record: ImageRecord): Promise<void>
  removeImage(id: Digest): Promise<boolean>
  /** The verified index of a layer. Throws `LAYER_UNKNOWN`. */
  readLayerIndex(diffID: Digest): Promise<LayerIndex>
  /** The uncompressed size of a layer without reading its index; undefined when the layer is unknown. */
  layerSize(diffID: Digest): Promise<number | undefined>
}
