export {
  type Compression,
  decompressed,
  type DecompressOptions,
  detectCompression,
  magicBytes,
  startOf,
} from './compression.ts'
export {
  createIndexEncoder,
  decodeLayerIndex,
  encodeLayerIndex,
  type IndexEncoder,
} from './index-codec.ts'
export { type ExportedLayer, exportTree } from './export-tree.ts'
export { gzipped, type GzipOptions } from './gzipped.ts'
export type { IndexedFile } from './index-file.ts'
export {
  type IndexFileOptions,
  type IndexPool,
  type IndexPoolOptions,
  openIndexPool,
} from './index-pool.ts'
export { dockerSize, type LayerEntry, type LayerEntryType } from './layer-entry.ts'
export { indexLayer, type IndexOptions, type LayerIndex, scanLayer } from './layer-index.ts'
export { baseName, cleanPath, parentPath, rootPath } from './layer-path.ts'
export { decodeName, encodeName, shownName } from './tar-name.ts'
export { createTarReader, type TarLimits, type TarReader, type TarSink } from './tar-reader.ts'
export { tarBytes, tarHeader, type TarInput, writeTar } from './tar-writer.ts'
export {
  type DeletedPath,
  type HiddenPath,
  layerChanges,
  type LayerChange,
  type LayerChanges,
} from './layer-changes.ts'
export { type HiddenBy } from './layer-tree.ts'
export { unionOf, type UnionEntry } from './union.ts'
export type { TarEntry, TarEntryType } from './tar-entry.ts'
export { maxInflatedBytes } from './inflation-limit.ts'
