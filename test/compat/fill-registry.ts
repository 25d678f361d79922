import type { RegistryPeer } from '../peers/registry.ts'
import { copyToRegistry } from '../peers/skopeo.ts'
import { listManifests } from './fixtures.ts'
import type { Catalog, CatalogEntry } from './fixtures.ts'

type Sender = (
  method: string,
  url: string,
  body?: { readonly type: string; readonly bytes: Uint8Array<ArrayBuffer> },
) => Promise<Response>

/** Puts the catalog into a real registry: the real images by skopeo, the hand-made ones by plain requests. */
export async function fillRegistry(
  registry: RegistryPeer,
  catalog: Catalog,
  layout: string,
  authorization?: string,
): Promise<void> {
  const send = createSender(authorization)
  for (const entry of catalog.entries) {
    const target = `${entry.repository}:${entry.tag}`
    if (entry.repository.startsWith('library/')) {
      const name = target.slice('library/'.length)
      await copyToRegistry(layout, name, `${registry.host}/${target}`)
    } else {
      await pushEntry(registry, catalog, entry, send)
    }
  }
}

async function pushEntry(
  registry: RegistryPeer,
  catalog: Catalog,
  entry: CatalogEntry,
  send: Sender,
): Promise<void> {
  const base = `${registry.url}/v2/${entry.repository}`
  for (const manifest of listManifests(catalog, entry)) {
    for (const digest of manifest.blobs) {
      const head = await send('HEAD', `${base}/blobs/${digest}`)
      if (head.status === 200) continue
      const start = await send('POST', `${base}/blobs/uploads/`)
      const location = new URL(start.headers.get('location') ?? '', registry.url)
      location.searchParams.set('digest', digest)
      const body = { type: 'application/octet-stream', bytes: content(catalog, digest) }
      expectCreated(await send('PUT', String(location), body))
    }
    const word = manifest.digest === entry.digest ? entry.tag : manifest.digest
    const body = { type: manifest.mediaType, bytes: content(catalog, manifest.digest) }
    expectCreated(await send('PUT', `${base}/manifests/${word}`, body))
  }
}

function content(catalog: Catalog, digest: string): Uint8Array<ArrayBuffer> {
  const bytes = catalog.read(digest)
  if (bytes === undefined) throw new Error(`the catalog has no ${digest}`)
  return new Uint8Array(bytes)
}

function createSender(authorization?: string): Sender {
  return async (method, url, body) => {
    const headers: Record<string, string> = {}
    if (authorization !== undefined) headers['authorization'] = authorization
    if (body !== undefined) headers['content-type'] = body.type
    const answer = await fetch(url, { method, headers, body: body?.bytes ?? null })
    await answer.arrayBuffer()
    return answer
  }
}

function expectCreated(answer: Response): void {
  if (answer.status !== 201) throw new Error(`${answer.url}: ${answer.status}`)
}
