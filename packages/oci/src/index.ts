export type { Bytes } from './bytes.ts'
export { applyChanges } from './change/apply-changes.ts'
export type { Descriptor } from './descriptor.ts'
export {
  type Digest,
  type DigestAlgorithm,
  digestAlgorithm,
  digestHex,
  isDigest,
  parseDigest,
  shortDigest,
} from './digest.ts'
export { isKatmanError, KatmanError, type KatmanErrorOptions } from './error.ts'
export {
  type ContainerDefaults,
  type Healthcheck,
  type HistoryEntry,
  type ImageConfig,
  parseImageConfig,
} from './image-config.ts'
export { imageConfigJson, type ImageConfigDraft } from './image-config-encoder.ts'
export {
  type JsonLimits,
  JsonNumber,
  type JsonObject,
  type JsonValue,
  maxDocumentBytes,
  parseJson,
} from './json.ts'
export {
  descriptorJson,
  type IndexDraft,
  indexJson,
  indexTypeFor,
  mergeEntries,
  platformJson,
} from './index-encoder.ts'
export {
  childrenOf,
  type Index,
  isAttestation,
  isImageManifest,
  type Manifest,
  maxDescriptors,
  parseManifest,
} from './manifest.ts'
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
  normalisePlatform,
  parsePlatform,
  type Platform,
} from './platform.ts'
export { matchExactPlatforms, matchPlatforms, platformMatches } from './platform-match.ts'
export {
  cosignTag,
  cosignTagKinds,
  describeReferrer,
  isAttachmentTag,
  referrersTag,
} from './referrer.ts'
export {
  canonicalName,
  defaultRegistry,
  defaultTag,
  familiarName,
  familiarReference,
  formatReference,
  isReference,
  isTag,
  parseReference,
  type Reference,
  withDefaultTag,
} from './reference.ts'
