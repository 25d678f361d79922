export {
  copyContent,
  type CopiedManifest,
  type CopyEvent,
  type CopyOptions,
  type CopyResult,
} from './copy.ts'
export { type MemoryPlace, openMemoryPlace } from './memory.ts'
export { type OciLayout, openOciLayout } from './oci-layout.ts'
export type {
  CallOptions,
  ContentOptions,
  NamingTarget,
  Opener,
  OpenOptions,
  Source,
  Target,
  WriteOptions,
  WriteProgress,
} from './place.ts'
export { digestMismatch, readVerified, sizeMismatch, verified } from './verify.ts'
