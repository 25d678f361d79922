export { KatmanError, isKatmanError, type KatmanErrorOptions } from './error.ts'
export type { Bytes } from './bytes.ts'
export {
  type Digest,
  type DigestAlgorithm,
  digestAlgorithm,
  digestHex,
  isDigest,
  parseDigest,
  shortDigest,
} from './digest.ts'
export type { Descriptor } from './descriptor.ts'
export {
  acceptedManifestTypes,
  isConfigType,
  isForeignLayerType,
  isIndexType,
  isLayerType,
  isManifestType,
  layerCompression,
  type LayerCompression,
  mediaTypes,
} from './media-type.ts'
export {
  formatPlatform,
  isUnknownPlatform,
  matchPlatforms,
  normalisePlatform,
  parsePlatform,
  type Platform,
  platformMatches,
} from './platform.ts'
