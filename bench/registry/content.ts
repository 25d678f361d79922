import { createHash, randomBytes } from 'node:crypto'
import { mediaTypes } from '@katman/oci'

/** Pushes what is measured and tells what it is called. Every server gets the same bytes. */

export interface Pushed {
  readonly repository: string
  readonly tag: string
  readonly manifest: string
  /** A blob of a few kB. */
  readonly config: string
}

export const repository = 'bench/app'

export async function pushImage(url: string, seed: Buffer): Promise<Pushed> {
  const config = await pushBlob(url, seed.subarray(0, 4096))
  const layers = await Promise.all(
    Array.from({ length: 8 }, (_, n) => pushBlob(url, seed.subarray(n * 100, n * 100 + 1000))),
  )
  const document = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: mediaTypes.ociConfig, digest: config, size: 4096 },
      layers: layers.map((digest) => ({ mediaType: mediaTypes.ociLayer, digest, size: 1000 })),
    }),
  )
  await pushManifest(url, 'latest', document)
  return { repository, tag: 'latest', manifest: digestOf(document), config }
}

export async function pushManifest(
  url: string,
  reference: string,
  document: Buffer,
): Promise<void> {
  const response = await fetch(`${url}/v2/${repository}/manifests/${reference}`, {
    method: 'PUT',
    headers: { 'content-type': mediaTypes.ociManifest },
    body: document,
  })
  await expectStatus(response, 201)
}

/** One blob by POST and PUT. Its digest. */
export async function pushBlob(url: string, content: Buffer): Promise<string> {
  const digest = digestOf(content)
  const response = await fetch(closing(await openUpload(url), digest), {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream' },
    body: content,
  })
  await expectStatus(response, 201)
  return digest
}

/** Begins an upload. Where it goes on. */
export async function openUpload(url: string): Promise<URL> {
  const response = await fetch(`${url}/v2/${repository}/blobs/uploads/`, { method: 'POST' })
  await expectStatus(response, 202)
  return new URL(response.headers.get('location') ?? '', url)
}

export function closing(upload: URL, digest: string): URL {
  const target = new URL(upload)
  target.searchParams.set('digest', digest)
  return target
}

export async function expectStatus(response: Response, status: number): Promise<void> {
  const text = await response.text()
  if (response.status !== status) throw new Error(`${response.url}: ${response.status} ${text}`)
}

export function digestOf(content: Uint8Array): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`
}

/** Random bytes, made in pieces: one call for all would hold the thread. */
export function randomContent(bytes: number): Buffer {
  const content = Buffer.allocUnsafe(bytes)
  for (let at = 0; at < bytes; at += 1 << 20) {
    randomBytes(Math.min(1 << 20, bytes - at)).copy(content, at)
  }
  return content
}
