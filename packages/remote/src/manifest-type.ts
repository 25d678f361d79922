import {
  isIndexType,
  isManifestType,
  JsonNumber,
  type JsonValue,
  mediaTypes,
  parseJson,
} from '@katman/oci'

/** True for every kind of manifest or index, Docker schema 1 included. */
export function isDocumentType(mediaType: string): boolean {
  return (
    isIndexType(mediaType) ||
    isManifestType(mediaType) ||
    mediaType === mediaTypes.dockerManifestV1 ||
    mediaType === mediaTypes.dockerManifestV1Signed
  )
}

/** The media type of a Content-Type header when it names a manifest; undefined for `text/plain` and the like. */
export function headerType(header: string | undefined): string | undefined {
  const type = header?.split(';')[0]?.trim().toLowerCase()
  return type !== undefined && isDocumentType(type) ? type : undefined
}

/**
 * The media type of a document whose server did not tell: what it says itself, else what its shape says.
 * Undefined when it is no manifest. Throws `JSON_INVALID`.
 */
export function documentType(bytes: Uint8Array): string | undefined {
  const document: JsonValue = parseJson(bytes, 'manifest')
  if (
    typeof document !== 'object' ||
    document === null ||
    Array.isArray(document) ||
    document instanceof JsonNumber
  ) {
    return undefined
  }
  const { mediaType } = document
  if (typeof mediaType === 'string') return isDocumentType(mediaType) ? mediaType : undefined
  if (document['schemaVersion'] === 1) return mediaTypes.dockerManifestV1
  if (document['schemaVersion'] !== 2) return undefined
  if ('manifests' in document) return mediaTypes.ociIndex
  return 'config' in document || 'layers' in document ? mediaTypes.ociManifest : undefined
}
