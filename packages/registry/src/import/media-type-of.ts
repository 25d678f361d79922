import { readFile } from 'node:fs/promises'
import {
  type Digest,
  isIndexType,
  isManifestType,
  JsonNumber,
  KatmanError,
  mediaTypes,
  parseJson,
} from '@katman/oci'

/**
 * The media type of a manifest in a file: what it says, or else what its shape says, because such a folder keeps no type
 * beside it. Throws `MANIFEST_UNSUPPORTED` for what we do not store, `JSON_INVALID`.
 */
export async function mediaTypeOf(file: string, digest: Digest): Promise<string> {
  const document = parseJson(await readFile(file), `manifest ${digest}`)
  const isObject =
    typeof document === 'object' &&
    document !== null &&
    !Array.isArray(document) &&
    !(document instanceof JsonNumber)
  const said = isObject ? document['mediaType'] : undefined
  if (typeof said === 'string') {
    if (isIndexType(said) || isManifestType(said)) return said
    throw unsupported(digest, said)
  }
  if (isObject && 'manifests' in document) return mediaTypes.ociIndex
  if (isObject && 'config' in document) return mediaTypes.ociManifest
  throw unsupported(digest, 'an image of Docker schema 1, or no image')
}

function unsupported(digest: Digest, what: string): KatmanError {
  return new KatmanError('MANIFEST_UNSUPPORTED', `${digest} is not imported: ${what}`, {
    hint: 'pull and push it with a client that converts it',
    details: { digest },
  })
}
