import { createHash } from 'node:crypto'
import {
  type Descriptor,
  indexJson,
  isAttestation,
  isIndexType,
  parseDigest,
  parseManifest,
  type Platform,
} from '@katman/oci'
import { selectPlatforms } from '@katman/store'
import { type CallOptions, readVerified, type Source } from '@katman/transfer'

/** What to copy of an image, and from where. */
export interface ChosenContent {
  readonly source: Source
  readonly root: Descriptor
}

/**
 * Some platforms of an image: for one the image itself, for several an index of them, with their attestations, that is
 * made here and always has the same bytes. What is no index stays as it is. Throws `PLATFORM_UNKNOWN`.
 */
export async function choosePlatforms(
  source: Source,
  root: Descriptor,
  platforms: readonly Platform[],
  call: CallOptions,
): Promise<ChosenContent> {
  if (platforms.length === 0 || !isIndexType(root.mediaType)) return { source, root }
  const index = parseManifest(await readVerified(source, root, call), root.mediaType)
  if (index.kind !== 'index') return { source, root }
  const chosen = new Set(selectPlatforms(index.manifests, platforms))
  const [only, second] = chosen
  if (only !== undefined && second === undefined) return { source, root: only }
  const digests = new Set([...chosen].map(({ digest }) => String(digest)))
  const manifests = index.manifests.filter(
    (entry) =>
      chosen.has(entry) ||
      (isAttestation(entry) &&
        digests.has(entry.annotations?.['vnd.docker.reference.digest'] ?? '')),
  )
  if (manifests.length === index.manifests.length) return { source, root }
  const { annotations, mediaType } = index
  const bytes = Buffer.from(JSON.stringify(indexJson({ mediaType, manifests, annotations })))
  const digest = parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
  const made: Descriptor = { mediaType, digest, size: bytes.byteLength }
  const withMade: Source = {
    ...source,
    async open(descriptor, options = {}) {
      if (descriptor.digest !== digest) return source.open(descriptor, options)
      return once(bytes.subarray(options.start ?? 0))
    },
  }
  return { source: withMade, root: made }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
