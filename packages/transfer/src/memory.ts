import { createHash } from 'node:crypto'
import {
  type Bytes,
  type Descriptor,
  type Digest,
  isDigest,
  KatmanError,
  parseDigest,
} from '@katman/oci'
import type {
  CallOptions,
  NamingTarget,
  Opener,
  OpenOptions,
  ReferrerSource,
  ReferrersOptions,
  Source,
  WriteOptions,
} from './place.ts'
import { referrerFactOf, referrersOfType } from './referrers.ts'
import { verified } from './verify.ts'

/** A place in memory: for tests, and for images made in code. */
export interface MemoryPlace extends Source, NamingTarget, ReferrerSource {
  /** Adds bytes made here and returns their descriptor. */
  add(mediaType: string, bytes: Uint8Array, extra?: Partial<Descriptor>): Descriptor
  /** Every tag, in the order set. */
  tags(): readonly string[]
}

/** Opens an empty place in memory. */
export function openMemoryPlace(name = 'memory'): MemoryPlace {
  const blobs = new Map<Digest, { readonly mediaType: string; readonly bytes: Uint8Array }>()
  const tags = new Map<string, Descriptor>()
  return {
    name,
    async resolve(reference: string): Promise<Descriptor> {
      const tagged = tags.get(reference)
      if (tagged !== undefined) return tagged
      const blob = isDigest(reference) ? blobs.get(reference) : undefined
      if (blob === undefined || !isDigest(reference)) {
        throw new KatmanError('MANIFEST_UNKNOWN', `${name}: no manifest for ${reference}`)
      }
      return { mediaType: blob.mediaType, digest: reference, size: blob.bytes.byteLength }
    },
    async open(descriptor: Descriptor, options: OpenOptions = {}): Promise<Bytes> {
      const blob = blobs.get(descriptor.digest)
      if (blob === undefined) {
        throw new KatmanError('BLOB_UNKNOWN', `${name}: no content for ${descriptor.digest}`)
      }
      return chunksOf(blob.bytes.subarray(options.start ?? 0), options)
    },
    async has(descriptor: Descriptor): Promise<boolean> {
      return blobs.has(descriptor.digest)
    },
    async write(descriptor: Descriptor, open: Opener, options: WriteOptions = {}): Promise<void> {
      const chunks: Uint8Array[] = []
      let bytes = 0
      for await (const chunk of verified(await open(0), descriptor, name)) {
        options.signal?.throwIfAborted()
        chunks.push(chunk)
        bytes += chunk.byteLength
        options.onProgress?.({ state: 'receiving', bytes })
      }
      options.onProgress?.({ state: 'received' })
      blobs.set(descriptor.digest, {
        mediaType: descriptor.mediaType,
        bytes: Buffer.concat(chunks),
      })
    },
    async tag(tag: string, descriptor: Descriptor): Promise<void> {
      tags.set(tag, descriptor)
    },
    async referrers(subject: Pick<Descriptor, 'digest'>, options: ReferrersOptions = {}) {
      const found = [...blobs].flatMap(([digest, { mediaType, bytes }]) => {
        const fact = referrerFactOf({ mediaType, digest, size: bytes.byteLength }, bytes)
        return fact?.subject.digest === subject.digest ? [fact.referrer] : []
      })
      return referrersOfType(found, options.artifactType)
    },
    add(mediaType: string, bytes: Uint8Array, extra: Partial<Descriptor> = {}): Descriptor {
      const digest = parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
      blobs.set(digest, { mediaType, bytes })
      return { ...extra, mediaType, digest, size: bytes.byteLength }
    },
    tags: () => [...tags.keys()],
  }
}

async function* chunksOf(bytes: Uint8Array, options: CallOptions): Bytes {
  const size = 256 * 1024
  for (let start = 0; start < bytes.byteLength; start += size) {
    options.signal?.throwIfAborted()
    yield bytes.subarray(start, start + size)
  }
}
