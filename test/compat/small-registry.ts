import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'

import type { Catalog } from './fixtures.ts'
import { listManifests } from './fixtures.ts'

/** A read-only registry over a catalog, in this process: for comparing without docker-registry. */
export interface SmallRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
}

/** How to open it. */
export interface SmallRegistryOptions {
  /** `user:password` that every request must carry (HTTP Basic); default: open to all. */
  readonly credentials?: string
}

/** Serves what the pull side of the distribution protocol needs, with distribution's error bodies. */
export async function startSmallRegistry(
  catalog: Catalog,
  options: SmallRegistryOptions = {},
): Promise<SmallRegistry> {
  const types = mediaTypes(catalog)
  const server = createServer((request, response) => {
    if (!isAllowed(request, options.credentials)) {
      response.setHeader('www-authenticate', 'Basic realm="katman-test"')
      sendError(response, 401, 'UNAUTHORIZED', 'authentication required')
      return
    }
    answer(catalog, types, request, response)
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    host: `127.0.0.1:${portOf(server)}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
    },
  }
}

function answer(
  catalog: Catalog,
  types: ReadonlyMap<string, string>,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  response.setHeader('docker-distribution-api-version', 'registry/2.0')
  const { pathname } = new URL(request.url ?? '/', 'http://registry')
  if (pathname === '/v2/') {
    send(request, response, 'application/json', Buffer.from('{}'))
    return
  }
  const match = /^\/v2\/(.+)\/(manifests|blobs|tags)\/([^/]+)$/.exec(pathname)
  if (match === null) {
    sendError(response, 404, 'NAME_UNKNOWN', 'repository name not known to registry')
    return
  }
  const [, repository = '', kind = '', word = ''] = match
  const entries = catalog.entries.filter((entry) => entry.repository === repository)
  if (kind === 'tags') {
    if (entries.length === 0) {
      sendError(response, 404, 'NAME_UNKNOWN', 'repository name not known to registry', {
        name: repository,
      })
      return
    }
    const list = { name: repository, tags: entries.map((entry) => entry.tag) }
    send(request, response, 'application/json', Buffer.from(JSON.stringify(list)))
    return
  }
  const digest = kind === 'manifests' ? resolveWord(entries, word) : word
  const bytes = entries.length === 0 ? undefined : catalog.read(digest)
  if (bytes === undefined) {
    if (kind === 'manifests')
      sendError(response, 404, 'MANIFEST_UNKNOWN', 'manifest unknown', { Tag: word })
    else sendError(response, 404, 'BLOB_UNKNOWN', 'blob unknown to registry')
    return
  }
  response.setHeader('docker-content-digest', digest)
  const type = kind === 'manifests' ? types.get(digest) : undefined
  send(request, response, type ?? 'application/octet-stream', bytes)
}

function resolveWord(
  entries: readonly { readonly tag: string; readonly digest: string }[],
  word: string,
): string {
  if (word.includes(':')) return word
  return entries.find((entry) => entry.tag === word)?.digest ?? ''
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  type: string,
  bytes: Buffer,
): void {
  response.writeHead(200, { 'content-type': type, 'content-length': bytes.length })
  response.end(request.method === 'HEAD' ? undefined : bytes)
}

function sendError(
  response: ServerResponse,
  status: number,
  code: string,
  message: string,
  detail: Readonly<Record<string, string>> = {},
): void {
  const body = JSON.stringify({ errors: [{ code, message, detail }] })
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' })
  response.end(body)
}

function isAllowed(request: IncomingMessage, credentials: string | undefined): boolean {
  if (credentials === undefined) return true
  const expected = `Basic ${Buffer.from(credentials).toString('base64')}`
  return request.headers.authorization === expected
}

function mediaTypes(catalog: Catalog): ReadonlyMap<string, string> {
  const types = new Map<string, string>()
  for (const entry of catalog.entries) {
    for (const manifest of listManifests(catalog, entry)) {
      types.set(manifest.digest, manifest.mediaType)
    }
  }
  return types
}

function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  return address.port
}
