export {
  type Archive,
  type ArchiveImage,
  openArchive,
  type OpenArchiveOptions,
} from './open-archive.ts'
export { saveArchive, type SavedImage, type SaveOptions } from './save-archive.ts'
