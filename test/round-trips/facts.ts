import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import path from 'node:path'

// What an image is, read by a few lines of their own: nothing here is Katman's, so that it can be a witness.

/** One image: of an index, or alone. */
export interface ImageFacts {
  /** `linux/arm/v7`, as the config says. */
  readonly platform: string
  readonly manifest: string
  readonly config: string
  readonly diffIDs: readonly string[]
}

/** What a name stands for. */
export interface Facts {
  /** Digest of the index or the manifest. */
  readonly root: string
  readonly isIndex: boolean
  readonly images: readonly ImageFacts[]
}

/** Gives the bytes of a document. */
type Read = (wanted: string, kind: 'manifest' | 'blob') => Promise<Buffer>

/** What a registry on plain http has under a tag or digest. Every document is hashed. */
export function factsOfRegistry(host: string, repository: string, tag: string): Promise<Facts> {
  return readFacts(tag, async (wanted, kind) => {
    const url = `http://${host}/v2/${repository}/${kind}s/${wanted}`
    const answer = await fetch(url, { headers: { accept: manifestTypes.join(', ') } })
    const bytes = Buffer.from(await answer.arrayBuffer())
    if (answer.status !== 200) throw new Error(`${url}: ${answer.status} ${bytes.toString('utf8')}`)
    return bytes
  })
}

/** What an OCI layout folder has: under a tag, or the one thing in it. */
export async function factsOfLayout(folder: string, tag?: string): Promise<Facts> {
  const index = JSON.parse(await readFile(path.join(folder, 'index.json'), 'utf8')) as Document
  const entries = index.manifests ?? []
  const found =
    tag === undefined && entries.length === 1
      ? entries[0]
      : entries.find((entry) => entry.annotations?.['org.opencontainers.image.ref.name'] === tag)
  if (found === undefined) throw new Error(`${folder} has no ${tag}: ${JSON.stringify(entries)}`)
  return readFacts(found.digest, (wanted) =>
    readFile(path.join(folder, 'blobs', ...wanted.split(':'))),
  )
}

/** What `skopeo copy … dir:FOLDER` wrote: the manifest, and blobs named by their hash. */
export function factsOfFolder(folder: string): Promise<Facts> {
  return readFacts('manifest.json', (wanted) =>
    readFile(path.join(folder, wanted.replace('sha256:', ''))),
  )
}

async function readFacts(name: string, read: Read): Promise<Facts> {
  const bytes = checked(name, await read(name, 'manifest'))
  const root = digestOf(bytes)
  const document = JSON.parse(bytes.toString('utf8')) as Document
  if (document.manifests === undefined) {
    return { root, isIndex: false, images: [await readImage(root, document, read)] }
  }
  const images: ImageFacts[] = []
  for (const { digest } of document.manifests) {
    const child = checked(digest, await read(digest, 'manifest'))
    images.push(await readImage(digest, JSON.parse(child.toString('utf8')) as Document, read))
  }
  return { root, isIndex: true, images }
}

async function readImage(manifest: string, document: Document, read: Read): Promise<ImageFacts> {
  const digest = document.config?.digest ?? ''
  const bytes = checked(digest, await read(digest, 'blob'))
  const config = JSON.parse(bytes.toString('utf8')) as Config
  // Read whole: a layer that is not there, or is another, is found here.
  for (const layer of document.layers ?? []) {
    checked(layer.digest, await read(layer.digest, 'blob'))
  }
  const words = [config.os, config.architecture, config.variant]
  const platform = words.filter((word) => word !== undefined && word !== '').join('/')
  return { platform, manifest, config: digest, diffIDs: config.rootfs.diff_ids }
}

function checked(wanted: string, bytes: Buffer): Buffer {
  if (wanted.startsWith('sha256:') && digestOf(bytes) !== wanted) {
    throw new Error(`${wanted} is in truth ${digestOf(bytes)}`)
  }
  return bytes
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

interface Descriptor {
  readonly digest: string
  readonly annotations?: Readonly<Record<string, string>>
}

interface Document {
  readonly manifests?: readonly Descriptor[]
  readonly config?: Descriptor
  readonly layers?: readonly Descriptor[]
}

interface Config {
  readonly os: string
  readonly architecture: string
  readonly variant?: string
  readonly rootfs: { readonly diff_ids: readonly string[] }
}

const manifestTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
]
