export {
  packArtifact,
  type ArtifactDraft,
  type ArtifactFile,
  type PackedArtifact,
} from './pack-artifact.ts'
export { artifactTypeOf, type ListedFile, listFiles, titleOf } from './list-files.ts'
export { unpackArtifact, type UnpackOptions, type UnpackResult } from './unpack-artifact.ts'
