export type { ArchiveImage } from './archive-place.ts'
export {
  type Archive,
  type ArchiveKind,
  openArchive,
  type OpenArchiveOptions,
} from './open-archive.ts'
export { type ImportOptions, openImport } from './open-import.ts'
export { openPipe } from './open-pipe.ts'
export { saveArchive, type SavedImage, type SaveOptions } from './save-archive.ts'
