import { type Descriptor, type Index, type Manifest, mediaTypes, platformJson } from '@katman/oci'

/** What docker prints of a manifest or an index. */
export function documentJson(document: Manifest | Index): unknown {
  const head = { schemaVersion: 2, mediaType: document.mediaType }
  if (document.kind === 'index') {
    const manifests = document.manifests.map(({ mediaType, size, digest, platform }) => ({
      mediaType,
      size,
      digest,
      platform: platformJson(platform ?? { os: '', architecture: '' }),
    }))
    return { ...head, manifests }
  }
  return {
    ...head,
    config: descriptorJson(document.config),
    layers: document.layers.map(descriptorJson),
    annotations: document.annotations,
  }
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
    [isDocker ? 'SchemaV2Manifest' : 'OCIManifest']: documentJson(document),
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
