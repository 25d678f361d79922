import { type Bytes, type Descriptor, isIndexType, isManifestType, KatmanError } from '@katman/oci'
import {
  type NamingTarget,
  type ReferrerSource,
  referrersOfType,
  type Source,
  type TagReader,
  verified,
} from '@katman/transfer'
import type { Content } from '../proxy/content.ts'

/** A repository of this registry as a place, without a request to ourselves. */
export interface ContentPlace extends Source, NamingTarget, ReferrerSource, TagReader {}

export function openContentPlace(content: Content, repository: string): ContentPlace {
  const name = `repository ${repository}`
  const unknown = (code: string, what: string): KatmanError =>
    new KatmanError(code, `${name}: no ${what}`, { details: { repository } })

  return {
    name,
    async resolve(reference) {
      const found = await content.manifest(repository, reference)
      if (found === undefined) throw unknown('MANIFEST_UNKNOWN', `manifest for ${reference}`)
      const { bytes, digest, mediaType } = found
      return { mediaType, digest, size: bytes.byteLength }
    },
    async open(descriptor, { start = 0 } = {}) {
      const { digest } = descriptor
      if (isDocument(descriptor)) {
        const found = await content.manifest(repository, digest)
        if (found === undefined) throw unknown('MANIFEST_UNKNOWN', `manifest ${digest}`)
        return once(found.bytes.subarray(start))
      }
      const size = await content.blobSize(repository, digest)
      if (size === undefined) throw unknown('BLOB_UNKNOWN', `blob ${digest}`)
      return content.openBlob(repository, digest, { start, end: size })
    },
    async has(descriptor) {
      const { digest, size } = descriptor
      if (isDocument(descriptor)) return (await content.manifest(repository, digest)) !== undefined
      return (await content.blobSize(repository, digest)) === size
    },
    async write(descriptor, open, { onProgress, signal } = {}) {
      const { digest, mediaType, size } = descriptor
      const read = async function* (): Bytes {
        let bytes = 0
        for await (const chunk of verified(await open(0), descriptor, name)) {
          signal?.throwIfAborted()
          yield chunk
          bytes += chunk.byteLength
          onProgress?.({ state: 'receiving', bytes })
        }
      }
      if (isDocument(descriptor)) {
        const chunks: Uint8Array[] = []
        for await (const chunk of read()) chunks.push(chunk)
        const bytes = Buffer.concat(chunks)
        await content.putManifest(repository, { digest, mediaType, bytes })
      } else {
        await content.putBlob(repository, { digest, size }, read)
      }
      onProgress?.({ state: 'received' })
    },
    async tag(tag, { digest }) {
      const found = await content.manifest(repository, digest)
      if (found === undefined) throw unknown('MANIFEST_UNKNOWN', `manifest ${digest}`)
      await content.putManifest(repository, found, { tag })
    },
    readTag: (tag) => content.tag(repository, tag),
    async referrers({ digest }, { artifactType } = {}) {
      return referrersOfType(await content.referrers(repository, digest), artifactType)
    },
  }
}

/** True for what is a manifest or an index: that is told by the media type, as everywhere. */
export function isDocument({ mediaType }: Pick<Descriptor, 'mediaType'>): boolean {
  return isIndexType(mediaType) || isManifestType(mediaType)
}

async function* once(bytes: Uint8Array): Bytes {
  if (bytes.byteLength > 0) yield bytes
}
