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
