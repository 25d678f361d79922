import type { Descriptor } from './descriptor.ts'
import { mediaTypes } from './media-type.ts'
import type { Platform } from './platform.ts'

/** What an index to make says. */
export interface IndexDraft {
  readonly mediaType?: string
  readonly manifests: readonly Descriptor[]
  readonly artifactType?: string
  readonly subject?: Descriptor
  readonly annotations?: Readonly<Record<string, string>> | undefined
}

/** The media type an index of these entries needs: Docker's list only when every entry is Docker's and it has no annotations. */
export function indexTypeFor({ manifests, annotations }: IndexDraft): string {
  const isDocker = manifests.every(({ mediaType }) =>
    mediaType.startsWith('application/vnd.docker.'),
  )
  return isDocker && manifests.length > 0 && annotations === undefined
    ? mediaTypes.dockerManifestList
    : mediaTypes.ociIndex
}

/** The JSON of an index, keys in the order of the Go types that write most of them. */
export function indexJson(draft: IndexDraft): unknown {
  return {
    schemaVersion: 2,
    mediaType: draft.mediaType ?? indexTypeFor(draft),
    artifactType: draft.artifactType,
    manifests: draft.manifests.map(descriptorJson),
    subject: draft.subject === undefined ? undefined : descriptorJson(draft.subject),
    annotations: draft.annotations,
  }
}

/** Entries by digest, each once, in the order they first came; platform and annotations of a later one replace. */
export function mergeEntries(entries: readonly Descriptor[]): readonly Descriptor[] {
  const merged = new Map<string, Descriptor>()
  for (const entry of entries) {
    const known = merged.get(entry.digest)
    const annotations = { ...known?.annotations, ...entry.annotations }
    merged.set(entry.digest, {
      ...(known ?? entry),
      ...(entry.platform === undefined ? {} : { platform: entry.platform }),
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
