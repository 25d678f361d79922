export type { AccessOptions } from './accounts/access-options.ts'
export { type FirstRun, makeFirstRunToken } from './accounts/first-run.ts'
export type { Action, Gate, Need, Policy, Visitor } from './access.ts'
export type { BasicAuth } from './basic-auth.ts'
export type { BearerAuth } from './bearer-auth.ts'
export type { RegistryRequest, RegistryResponse } from './http.ts'
export { expireUploads } from './distribution/expire-uploads.ts'
export { createRegistry, type CreateRegistryOptions, type Registry } from './registry.ts'
export {
  type RegistryServer,
  type RequestEvent,
  serveRegistry,
  type ServeOptions,
} from './serve-registry.ts'
export { openFolderStorage, openMemoryStorage, type RegistryStorage } from './storage.ts'
export type { Change, ChangeListener, Pull, Repository } from './change.ts'
export type {
  Database,
  Engine,
  Queries,
  Row,
  SqlValue,
  Transaction,
  TransactionOptions,
} from './database/database.ts'
export {
  cancelMove,
  moveRegistry,
  type MoveResult,
  type MoveTarget,
  openMoveTarget,
} from './move/move-registry.ts'
export { migrate } from './database/migrate.ts'
export { openSqlite } from './database/sqlite.ts'
export type { Face } from './face.ts'
export { type OpenRegistry, openRegistry } from './open-registry.ts'
export type { Foundation, Part } from './part.ts'
export type { RegistryOptions } from './registry-options.ts'
export { enqueueJob, type JobContext, type JobKind, type JobRequest } from './jobs/job.ts'
export {
  createJobRunner,
  type JobFailure,
  type JobRunner,
  type JobRunnerOptions,
} from './jobs/runner.ts'
export type {
  ByteRange,
  LinkOptions,
  ObjectStore,
  ObjectUpload,
  StoredObject,
} from './object-store.ts'
export { openFolderObjects } from './objects/folder-objects.ts'
export { openMemoryObjects } from './objects/memory-objects.ts'
export {
  defaultLimits,
  type ListenAddress,
  type ServerLimits,
  type ServerOptions,
  type TlsFiles,
} from './server/server-options.ts'
export { type RunningServer, startServer } from './server/start-server.ts'
export type { PeerOptions, UpstreamOptions } from './proxy/upstream.ts'
export type { ReplicationRuleOptions } from './replication/rule.ts'
export type { HookResult, ImageHook, PushedImage, StoredImage } from './events/image-hook.ts'
export { importDistribution, type DistributionImportOptions } from './import/import-distribution.ts'
export { importLayout } from './import/import-layout.ts'
export type { ImportEvent, ImportResult } from './import/import-report.ts'
