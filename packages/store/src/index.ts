export type { CheckEvent, CheckOptions, CheckResult, Problem } from './check-state.ts'
export { checkStore } from './check-store.ts'
export type { CollectedItem, CollectOptions, CollectResult } from './collect-garbage.ts'
export type { DiskUsage } from './disk-usage.ts'
export type { FileFacts, Files, OpenMode } from './files.ts'
export { openNodeFiles } from './node-files.ts'
export { openStore, type StoreOptions } from './open-store.ts'
export {
  chooseBelow,
  type PlatformChoice,
  type PullOptions,
  pullImage,
  type PullResult,
  selectPlatform,
} from './pull-image.ts'
export { pushImage, type PushOptions, type PushResult } from './push-image.ts'
export { type PushedLayer } from './push-layers.ts'
export {
  loadImage,
  type LoadImageOptions,
  type LoadImageResult,
  selectPlatforms,
} from './load-image.ts'
export type { ImageRecord, ReferenceRecord } from './records.ts'
export type { Store } from './store.ts'
export { invalidFilter, parseFilters } from './images/filter-terms.ts'
export { findImage, type FoundImage } from './images/find-image.ts'
export { findPlatformImage, type FindPlatformOptions } from './images/find-platform.ts'
export { type HistoryRow, imageHistory } from './images/image-history.ts'
export { imagesUsage, type ImagesUsage, type ImageUsage } from './images/image-usage.ts'
export {
  chainIDs,
  type ImageName,
  type ImageView,
  isDangling,
  loadImages,
} from './images/image-view.ts'
export { type ImageDocument, inspectImage, inspectView } from './images/inspect-image.ts'
export { type ImageRow, listImages, type ListOptions } from './images/list-images.ts'
export { type NamedContent, readNamedContent } from './images/named-content.ts'
export { pruneImages, type PruneOptions } from './images/prune-images.ts'
export {
  type ContainerUse,
  expandPattern,
  type Removal,
  type RemovalLine,
  removeImage,
  type RemoveOptions,
} from './images/remove-image.ts'
export { removePlatforms, type RemovePlatformsOptions } from './images/remove-platform.ts'
export { tagImage } from './images/tag-image.ts'
