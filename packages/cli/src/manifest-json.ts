import { type Descriptor, type Index, type Manifest, mediaTypes, platformJson } from '@katman/oci'

/** What docker prints of an index, and the bytes of a list that it pushes. */
export function documentJson({ mediaType, manifests }: Index): unknown {
  return {
    schemaVersion: 2,
    mediaType,
    manifests: manifests.map((entry) => ({
      mediaType: entry.mediaType,
      size: entry.size,
      digest: entry.digest,
      platform: platformJson(entry.platform ?? { os: '', architecture: '' }),
    })),
  }
}

/** A document with all its keys, in the order it has them: docker prints manifests as they came. */
export function rawJson(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes).toString('utf8'))
}

/** What `manifest inspect -v` prints of a manifest, and what docker keeps of it in a local list. */
export function verboseEntry(
  name: string,
  descriptor: Descriptor,
  bytes: Uint8Array,
  document: Manifest,
): unknown {
  const isDocker = document.mediaType === mediaTypes.dockerManifest
  return {
    Ref: name,
    Descriptor: descriptorJson(descriptor),
    Raw: Buffer.from(bytes).toString('base64'),
    [isDocker ? 'SchemaV2Manifest' : 'OCIManifest']: rawJson(bytes),
  }
}

function descriptorJson(descriptor: Descriptor): unknown {
  const { mediaType, digest, size, urls, annotations, platform } = descriptor
  return {
    mediaType,
    digest,
    size,
    urls,
    annotations,
    platform: platform === undefined ? undefined : platformJson(platform),
  }
}
