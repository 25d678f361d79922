import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Descriptor, Digest } from '@katman/oci'
import { parseDigest } from '@katman/oci'

export type Handler = (
  request: IncomingMessage,
  response: ServerResponse,
) => boolean | void | Promise<boolean | void>

/** A registry in memory on a free loopback port, small enough to be bent by each test. */
export interface MemoryRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
  readonly url: string
  /** `METHOD /path?query` of every request, in order. */
  readonly requests: string[]
  readonly blobs: Map<string, Buffer>
  /** Bytes of unfinished uploads, by the last part of their address. */
  readonly uploads: Map<string, Buffer>
  readonly manifests: Map<string, { readonly bytes: Buffer; readonly mediaType: string }>
  readonly server: Server
  /** Runs before the registry; returns true when it answered. */
  intercept: Handler | undefined
  addBlob(bytes: Uint8Array | string, mediaType?: string): Descriptor
  addManifest(document: unknown, mediaType: string, ...tags: string[]): Descriptor
}

export async function startMemoryRegistry(): Promise<MemoryRegistry> {
  const blobs = new Map<string, Buffer>()
  const manifests = new Map<string, { bytes: Buffer; mediaType: string }>()
  const requests: string[] = []
  const uploads = new Map<string, Buffer>()

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    requests.push(`${request.method} ${request.url}`)
    if (await registry.intercept?.(request, response)) return
    const url = new URL(request.url ?? '/', registry.url)
    if (url.pathname === '/v2/') {
      response.end('{}')
      return
    }
    const found = /^\/v2\/(.+)\/(manifests|blobs|tags)\/(.*)$/.exec(url.pathname)
    const [, name = '', kind, reference = ''] = found ?? []
    if (kind === 'manifests')
      await handleManifest(request, response, `${name}:${reference}`, reference)
    else if (kind === 'tags') sendTags(response, url, name)
    else if (kind === 'blobs') await handleBlob(request, response, url, name, reference)
    else fail(response, 404, 'NAME_UNKNOWN', 'repository name not known to registry')
  }

  async function handleManifest(
    request: IncomingMessage,
    response: ServerResponse,
    key: string,
    reference: string,
  ): Promise<void> {
    if (request.method === 'PUT') {
      const bytes = await readAll(request)
      const mediaType = request.headers['content-type'] ?? ''
      const digest = digestOf(bytes)
      manifests.set(digest, { bytes, mediaType })
      manifests.set(key, { bytes, mediaType })
      response.writeHead(201, { 'docker-content-digest': digest }).end()
      return
    }
    const manifest = manifests.get(reference.includes(':') ? reference : key)
    if (manifest === undefined) {
      fail(response, 404, 'MANIFEST_UNKNOWN', 'manifest unknown')
      return
    }
    response.writeHead(200, {
      'content-type': manifest.mediaType,
      'content-length': manifest.bytes.byteLength,
      'docker-content-digest': digestOf(manifest.bytes),
    })
    response.end(request.method === 'HEAD' ? undefined : manifest.bytes)
  }

  function sendTags(response: ServerResponse, url: URL, name: string): void {
    const all = [...manifests.keys()]
      .filter((key) => key.startsWith(`${name}:`) && !key.includes('sha256:'))
      .map((key) => key.slice(name.length + 1))
      .toSorted()
    const last = url.searchParams.get('last') ?? ''
    const tags = all.filter((tag) => tag > last).slice(0, 2)
    const more = tags.at(-1) !== all.at(-1)
    response.writeHead(200, {
      'content-type': 'application/json',
      ...(more ? { link: `<${url.pathname}?n=2&last=${tags.at(-1)}>; rel="next"` } : {}),
    })
    response.end(JSON.stringify({ name, tags }))
  }

  async function handleBlob(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    name: string,
    reference: string,
  ): Promise<void> {
    if (request.method === 'POST') {
      const id = String(uploads.size + 1)
      uploads.set(id, Buffer.alloc(0))
      tellUpload(response, 202, name, id)
      return
    }
    if (reference.startsWith('uploads/')) await handleUpload(request, response, url, name)
    else sendBlob(request, response, reference)
  }

  async function handleUpload(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    name: string,
  ): Promise<void> {
    const id = url.pathname.split('/').at(-1) ?? ''
    const known = uploads.get(id)
    if (known === undefined) {
      fail(response, 404, 'BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry')
      return
    }
    const start = /^\d+/.exec(request.headers['content-range'] ?? '')
    if (start !== null && Number(start[0]) !== known.byteLength) {
      request.resume()
      fail(response, 416, 'RANGE_INVALID', 'the chunk does not begin where the upload stands')
      return
    }
    const added = await readAll(request)
    const bytes = Buffer.concat([known, added])
    if (request.method !== 'GET') uploads.set(id, bytes)
    if (request.method === 'PUT') {
      uploads.delete(id)
      const digest = url.searchParams.get('digest') ?? ''
      if (digestOf(bytes) !== digest) {
        fail(response, 400, 'DIGEST_INVALID', 'provided digest did not match uploaded content')
        return
      }
      blobs.set(digest, bytes)
      response.writeHead(201, { 'docker-content-digest': digest }).end()
      return
    }
    tellUpload(response, request.method === 'GET' ? 204 : 202, name, id)
  }

  function tellUpload(response: ServerResponse, status: number, name: string, id: string): void {
    const size = uploads.get(id)?.byteLength ?? 0
    const location = `/v2/${name}/blobs/uploads/${id}?_state=x%2By${size}`
    response.writeHead(status, { location, range: `0-${Math.max(0, size - 1)}` }).end()
  }

  function sendBlob(request: IncomingMessage, response: ServerResponse, reference: string): void {
    const bytes = blobs.get(reference)
    if (bytes === undefined) {
      fail(response, 404, 'BLOB_UNKNOWN', 'blob unknown to registry')
      return
    }
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    response.writeHead(start > 0 ? 206 : 200, {
      'content-length': bytes.byteLength - start,
      etag: `"${reference}"`,
      ...(start > 0
        ? { 'content-range': `bytes ${start}-${bytes.byteLength - 1}/${bytes.byteLength}` }
        : {}),
    })
    response.end(request.method === 'HEAD' ? undefined : bytes.subarray(start))
  }

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('no TCP address')
  const { port } = address
  const registry: MemoryRegistry = {
    host: `127.0.0.1:${port}`,
    url: `http://127.0.0.1:${port}`,
    requests,
    blobs,
    uploads,
    manifests,
    server,
    intercept: undefined,
    addBlob(content, mediaType = 'application/octet-stream') {
      const bytes = Buffer.from(content)
      const digest = digestOf(bytes)
      blobs.set(digest, bytes)
      return { mediaType, digest, size: bytes.byteLength }
    },
    addManifest(document, mediaType, ...tags) {
      const bytes = Buffer.from(typeof document === 'string' ? document : JSON.stringify(document))
      const digest = digestOf(bytes)
      for (const key of [digest, ...tags]) manifests.set(key, { bytes, mediaType })
      return { mediaType, digest, size: bytes.byteLength }
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => {
        server.close(resolve)
      })
    },
  }
  return registry
}

/** Answers with a registry error document. */
export function fail(
  response: ServerResponse,
  status: number,
  code: string,
  message: string,
): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ errors: [{ code, message, detail: {} }] }))
}

export function digestOf(bytes: Uint8Array): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}
