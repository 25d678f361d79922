import type { Descriptor } from './descriptor.ts'
import { KatmanError } from './error.ts'
import { Fields, readDescriptor } from './fields.ts'
import { parseJson } from './json.ts'
import { isConfigType, isIndexType, isManifestType, mediaTypes } from './media-type.ts'

/** An image or artifact manifest (image-spec manifest.md; Docker image manifest v2 schema 2). */
export interface Manifest {
  readonly kind: 'manifest'
  readonly mediaType: string
  readonly config: Descriptor
  /** Bottom layer first. */
  readonly layers: readonly Descriptor[]
  readonly artifactType?: string
  readonly subject?: Descriptor
  readonly annotations?: Readonly<Record<string, string>>
}

/** An index of manifests (image-spec image-index.md; Docker manifest list). */
export interface Index {
  readonly kind: 'index'
  readonly mediaType: string
  readonly manifests: readonly Descriptor[]
  readonly artifactType?: string
  readonly subject?: Descriptor
  readonly annotations?: Readonly<Record<string, string>>
}

/** The most layers of a manifest and the most entries of an index that are read. */
export const maxDescriptors = 2000

const code = 'MANIFEST_INVALID'
const knownKeys = [
  'schemaVersion',
  'mediaType',
  'config',
  'layers',
  'manifests',
  'artifactType',
  'subject',
  'annotations',
  'fsLayers',
  'blobs',
]

/**
 * Parses a manifest or an index. `mediaType` is what the descriptor or the Content-Type said; the body must
 * agree with it, and must not look like both (CVE-2021-41190).
 * Throws `MANIFEST_INVALID`, `MANIFEST_UNSUPPORTED` for Docker schema 1 and other types, `JSON_INVALID`.
 */
export function parseManifest(bytes: Uint8Array, mediaType: string): Manifest | Index {
  if (
    mediaType === mediaTypes.dockerManifestV1 ||
    mediaType === mediaTypes.dockerManifestV1Signed
  ) {
    throw new KatmanError(
      'MANIFEST_UNSUPPORTED',
      'Docker image manifest schema 1 is not supported',
      {
        hint: 'the image is older than 2016; push it again with a current tool',
        details: { mediaType },
      },
    )
  }
  if (!isIndexType(mediaType) && !isManifestType(mediaType)) {
    throw new KatmanError('MANIFEST_UNSUPPORTED', `not a manifest: media type ${mediaType}`, {
      details: { mediaType },
    })
  }
  const fields = new Fields(parseJson(bytes, 'manifest'), 'manifest', knownKeys, code)
  const schemaVersion = fields.size('schemaVersion')
  if (schemaVersion !== 2)
    throw fields.fail('schemaVersion', `is ${schemaVersion ?? 'missing'}, not 2`)
  const ownType = fields.string('mediaType')
  if (ownType !== undefined && ownType !== mediaType) {
    throw fields.fail('mediaType', `is ${ownType}, but the document was announced as ${mediaType}`)
  }
  const isIndex = isIndexType(mediaType)
  for (const key of isIndex ? ['layers', 'config', 'fsLayers'] : ['manifests', 'fsLayers']) {
    if (fields.has(key))
      throw fields.fail(key, `does not belong into a document of type ${mediaType}`)
  }
  const shared = readShared(fields)
  if (isIndex) {
    return {
      kind: 'index',
      mediaType,
      manifests: readDescriptors(fields, 'manifests'),
      ...shared,
    }
  }
  return {
    kind: 'manifest',
    mediaType,
    config: readDescriptor(
      fields.required('config', fields.value('config')),
      fields.path('config'),
      code,
    ),
    layers: readDescriptors(fields, 'layers'),
    ...shared,
  }
}

/** True when the manifest describes a container image and not some other artifact. */
export function isImageManifest(manifest: Manifest): boolean {
  return isConfigType(manifest.config.mediaType)
}

/** True for the index entry of a BuildKit attestation: kept with the index, never run. */
export function isAttestation(descriptor: Descriptor): boolean {
  return descriptor.annotations?.['vnd.docker.reference.type'] === 'attestation-manifest'
}

/** Everything a document points to, in copy order. */
export function childrenOf(document: Manifest | Index): readonly Descriptor[] {
  return document.kind === 'index' ? document.manifests : [document.config, ...document.layers]
}

function readDescriptors(fields: Fields, key: string): readonly Descriptor[] {
  const given = fields.list(key)
  const list = key === 'manifests' ? fields.required(key, given) : (given ?? [])
  if (list.length > maxDescriptors) {
    throw fields.fail(key, `has ${list.length} entries, more than ${maxDescriptors}`)
  }
  return list.map((item, position) =>
    readDescriptor(item, `${fields.path(key)}[${position}]`, code),
  )
}

function readShared(fields: Fields): Pick<Manifest, 'artifactType' | 'subject' | 'annotations'> {
  const artifactType = fields.string('artifactType')
  const annotations = fields.stringMap('annotations')
  const subject = fields.has('subject')
    ? readDescriptor(fields.value('subject'), fields.path('subject'), code)
    : undefined
  return {
    ...(artifactType ? { artifactType } : {}),
    ...(subject === undefined ? {} : { subject }),
    ...(annotations === undefined ? {} : { annotations }),
  }
}
