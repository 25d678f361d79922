export type { Action, Gate, Need, Policy, Visitor } from './access.ts'
export type { BasicAuth } from './basic-auth.ts'
export type { BearerAuth } from './bearer-auth.ts'
export { openFolderStorage } from './folder-storage.ts'
export type { RegistryRequest, RegistryResponse } from './http.ts'
export { openMemoryStorage } from './memory-storage.ts'
export { createRegistry, type Registry } from './registry.ts'
export {
  type RegistryServer,
  type RequestEvent,
  serveRegistry,
  type ServeOptions,
} from './serve-registry.ts'
export type {
  BlobStorage,
  ByteRange,
  ManifestStorage,
  RegistryStorage,
  StoredManifest,
  TagStorage,
  Upload,
  UploadStorage,
} from './storage.ts'
