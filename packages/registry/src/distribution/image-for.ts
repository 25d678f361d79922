import { isIndexType, isManifestType, parseManifest } from '@katman/oci'
import type { Queries } from '../database/database.ts'
import { findManifest, type StoredManifest } from '../metadata/manifests.ts'

/**
 * What a client gets for a tag. One that takes images and no indexes, as clients did before there were images for several
 * platforms, gets the image for linux/amd64 out of an index; every other gets what was pushed, whatever it says to accept.
 */
export async function imageFor(
  queries: Queries,
  stored: StoredManifest,
  accept: string | undefined,
): Promise<StoredManifest> {
  if (!isIndexType(stored.mediaType) || !takesOnlyImages(accept)) return stored
  const index = parseManifest(stored.bytes, stored.mediaType)
  if (index.kind !== 'index') return stored
  const entry = index.manifests.find(
    ({ mediaType, platform }) =>
      isManifestType(mediaType) && platform?.os === 'linux' && platform.architecture === 'amd64',
  )
  const image = entry && (await findManifest(queries, stored.repository.name, entry.digest))
  return image ?? stored
}

function takesOnlyImages(accept: string | undefined): boolean {
  if (accept === undefined) return false
  const types = accept.split(',', 100).map((text) => (text.split(';', 1)[0] ?? '').trim())
  const takesMore = types.some((type) => isIndexType(type) || type.endsWith('/*'))
  return !takesMore && types.some(isManifestType)
}
