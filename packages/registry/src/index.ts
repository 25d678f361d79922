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
