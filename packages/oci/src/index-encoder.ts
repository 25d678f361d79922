import type { Descriptor } from './descriptor.ts'
import { mediaTypes } from './media-type.ts'
import type { Platform } from './platform.ts'

/** What an index to make says. */
export interface IndexDraft {
  readonly mediaType?: string
  readonly manifests: readonly Descriptor[]
  readonly annotations?: Readonly<Record<string, string>> | undefined
}

/** The media type an index of these entries needs: Docker's list only when every entry is Docker's and nothing is annotated. */
export function indexTypeFor({ manifests, annotations }: IndexDraft): string {
  const isDocker = manifests.every(({ mediaType }) => mediaType === mediaTypes.dockerManifest)
  const isAnnotated =
    annotations !== undefined || manifests.some((entry) => entry.annotations !== undefined)
  return isDocker && manifests.length > 0 && !isAnnotated
    ? mediaTypes.dockerManifestList
    : mediaTypes.ociIndex
}

/** The JSON of an index, keys in the order of the Go types that write most of them. */
export function indexJson(draft: IndexDraft): unknown {
  return {
    schemaVersion: 2,
    mediaType: draft.mediaType ?? indexTypeFor(draft),
    manifests: draft.manifests.map(descriptorJson),
    annotations: draft.annotations,
  }
}

/** Entries by digest, each once, in the order they first came; what a later one says beside replaces. */
export function mergeEntries(entries: readonly Descriptor[]): readonly Descriptor[] {
  const merged = new Map<string, Descriptor>()
  for (const entry of entries) {
    const known = merged.get(entry.digest)
    const annotations = { ...known?.annotations, ...entry.annotations }
    merged.set(entry.digest, {
      ...known,
      ...entry,
      ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
    })
  }
  return [...merged.values()]
}

/** The JSON of a descriptor, keys in the order of the Go type. */
export function descriptorJson(entry: Descriptor): unknown {
  const { mediaType, digest, size, urls, annotations, data, platform, artifactType } = entry
  return {
    mediaType,
    digest,
    size,
    urls,
    annotations,
    data,
    platform: platform === undefined ? undefined : platformJson(platform),
    artifactType,
  }
}

/** The JSON of a platform. */
export function platformJson({
  architecture,
  os,
  osVersion,
  osFeatures,
  variant,
}: Platform): unknown {
  return { architecture, os, 'os.version': osVersion, 'os.features': osFeatures, variant }
}
