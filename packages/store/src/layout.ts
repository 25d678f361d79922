import { hash } from 'node:crypto'
import path from 'node:path'
import { type Digest, digestAlgorithm, digestHex, isDigest } from '@katman/oci'

/** The layout version this code writes. It reads older ones, and makes them this one when it may. */
export const layoutVersion = 2

/** The folders of a store, made when it is. */
export const folders = [
  'blobs',
  'blobs/sha256',
  'blobs/sha384',
  'blobs/sha512',
  'refs',
  'images',
  'layers',
  'referrers',
  'ingest',
  'uploads',
  'leases',
  'locks',
  'tmp',
  'trash',
  'quarantine',
] as const

/** Where everything of a store is. */
export interface Layout {
  readonly root: string
  readonly version: string
  /** A few blocks to give back when the disk is full, so that removing still works. */
  readonly reserve: string
  folder(name: (typeof folders)[number]): string
  blob(digest: Digest): string
  image(id: Digest): string
  /** Named by a hash, because names are longer than file names may be and differ by case. */
  reference(name: string): string
  /** A folder: `index`, `record`, and `from.<blob>` for each blob that was found to hold the layer. */
  layer(diffID: Digest): string
  /** What refers to one content: a folder with a file for each referrer. */
  referrers(subject: Digest): string
  referrer(subject: Digest, digest: Digest): string
  /** A folder: `data`, `state`, and claims. */
  ingest(digest: Digest): string
  lease(id: string): string
  temporary(id: string): string
  trash(kind: 'blob' | 'layer', digest: Digest): string
  /** Named by a hash, because two long digests are longer than file names may be. */
  trashedReferrer(subject: Digest, digest: Digest): string
}

export function layoutOf(root: string): Layout {
  const inside = (...parts: string[]): string => path.join(root, ...parts)
  return {
    root,
    version: inside('version'),
    reserve: inside('reserve'),
    folder: (name) => inside(name),
    blob: (digest) => inside('blobs', digestAlgorithm(digest), digestHex(digest)),
    image: (id) => inside('images', fileName(id)),
    reference: (name) => inside('refs', hash('sha256', name)),
    layer: (diffID) => inside('layers', fileName(diffID)),
    referrers: (subject) => inside('referrers', fileName(subject)),
    referrer: (subject, digest) => inside('referrers', fileName(subject), fileName(digest)),
    ingest: (digest) => inside('ingest', fileName(digest)),
    lease: (id) => inside('leases', id),
    temporary: (id) => inside('tmp', id),
    trash: (kind, digest) => inside('trash', `${kind}.${fileName(digest)}`),
    trashedReferrer: (subject, digest) =>
      inside('trash', `referrer.${hash('sha256', `${subject} ${digest}`)}`),
  }
}

/** `<alg>-<hex>`: a digest as a file name. */
export function fileName(digest: Digest): string {
  return `${digestAlgorithm(digest)}-${digestHex(digest)}`
}

/** The digest a file name stands for. */
export function digestOfFileName(name: string): Digest | undefined {
  const text = name.replace('-', ':')
  return isDigest(text) ? text : undefined
}
