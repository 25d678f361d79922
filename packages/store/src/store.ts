import type { Descriptor, Digest } from '@katman/oci'
import type { LayerIndex } from '@katman/layer'
import type { CallOptions, NamingTarget, ReferrerSource, Source } from '@katman/transfer'
import type { CheckOptions, CheckResult } from './check-state.ts'
import type { DiskUsage } from './disk-usage.ts'
import type { CollectOptions, CollectResult } from './collect-garbage.ts'
import type { ImageRecord, ReferenceRecord } from './records.ts'
import type { UploadLedger } from './upload-ledger.ts'

/**
 * The local place. Many processes open the same root at once; the file system is the truth.
 * `resolve` takes canonical names, digests of content and the tags of {@link Store.tag}. Everything written or found by `has` is held by
 * this handle's lease until it is closed. Referrers are written like any content, which records them, are listed sorted
 * by digest, and stay as long as their subject does.
 *
 * Beside the codes named here, everything throws `STORE_IO`, `STORE_FULL`, `STORE_PERMISSIONS`, and what
 * writes throws `STORE_READ_ONLY`.
 */
export interface Store extends Source, NamingTarget, ReferrerSource, AsyncDisposable {
  readonly root: string
  /**
   * Attaches content to other content by a tag of cosign's (`sha256-….sig`); it stays as long as that does. Images get
   * their names by {@link setReference}. Throws `REFERENCE_INVALID` for another tag, `CONTENT_INCOMPLETE`.
   */
  tag(tag: string, descriptor: Descriptor, options?: CallOptions): Promise<void>
  /** Where a registry client remembers what it has not sent whole. */
  readonly uploads: UploadLedger
  /** Every name, sorted by name. */
  references(options?: CallOptions): Promise<readonly ReferenceRecord[]>
  /**
   * Points a name at content, which must be complete. Replaces what it meant. Throws `CONTENT_INCOMPLETE`.
   */
  setReference(record: ReferenceRecord): Promise<void>
  /** Forgets a name. False when it was not there. Content stays until a collection. */
  removeReference(name: string): Promise<boolean>
  images(options?: CallOptions): Promise<readonly ImageRecord[]>
  /**
   * Records an image whose manifest, config and layers are complete. Idempotent; newer facts replace.
   * Throws `CONTENT_INCOMPLETE`.
   */
  putImage(record: ImageRecord): Promise<void>
  /** Forgets an image. False when it was not there. Content stays until a collection. */
  removeImage(id: Digest): Promise<boolean>
  /** The verified index of a layer. Throws `LAYER_UNKNOWN`, `LAYER_DAMAGED`. */
  readLayerIndex(diffID: Digest): Promise<LayerIndex>
  /**
   * Bytes of all files and symlink targets of a layer (docker's size of a layer) without reading its index; undefined when the
   * layer is unknown.
   */
  layerSize(diffID: Digest): Promise<number | undefined>
  /**
   * Removes content that no name, image or lease leads to, while others read and write.
   * Throws `STORE_DAMAGED` when it cannot tell what is needed.
   */
  collectGarbage(options?: CollectOptions): Promise<CollectResult>
  /** Looks for damage, and heals what it can when asked to. */
  check(options?: CheckOptions): Promise<CheckResult>
  diskUsage(options?: CallOptions): Promise<DiskUsage>
}
