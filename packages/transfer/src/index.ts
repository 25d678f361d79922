export {
  copyContent,
  type CopiedManifest,
  type CopyEvent,
  type CopyOptions,
  type CopyResult,
} from './copy.ts'
export type { CopiedReferrer } from './copy-referrers.ts'
export { findCosignTags } from './cosign-tags.ts'
export { limit } from './limit.ts'
export { type MemoryPlace, openMemoryPlace } from './memory.ts'
export { type OciLayout, openOciLayout } from './oci-layout.ts'
export type {
  CallOptions,
  ContentOptions,
  NamingTarget,
  Opener,
  OpenOptions,
  ReferrerSource,
  ReferrersOptions,
  Source,
  TagReader,
  Target,
  WriteOptions,
  WriteProgress,
} from './place.ts'
export { isReferrerSource, isTagReader } from './place.ts'
export {
  encodeReferrersIndex,
  type ReferrerFact,
  referrerFactOf,
  referrersOfType,
} from './referrers.ts'
export { digestMismatch, readVerified, sizeMismatch, verified } from './verify.ts'
