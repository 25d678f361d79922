import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { type BasicAuth, createBasicGate } from './basic-auth.ts'
import { type BearerAuth, createBearerGate } from './bearer-auth.ts'
import { type Gate, openGate } from './access.ts'
import { addressAsked } from './address.ts'
import type { RegistryRequest, RegistryResponse } from './http.ts'
import { createRegistry, type CreateRegistryOptions } from './registry.ts'
import type { RegistryStorage } from './storage.ts'

export interface ServeOptions {
  readonly storage: RegistryStorage
  /** How the registry works, besides where it keeps its content and who may use it. */
  readonly registry?: Omit<CreateRegistryOptions, 'database' | 'objects' | 'gate'>
  /** The address to listen on. Default `127.0.0.1`. */
  readonly host?: string
  /** Default: a free one. */
  readonly port?: number
  /** Default: everybody may do everything. */
  readonly auth?: BasicAuth | BearerAuth
  /** How clients reach it, without a path: `https://registry.example`. Default: as each of them asks for it. */
  readonly publicUrl?: string
  /** Called as each request arrives. */
  readonly onRequest?: (event: RequestEvent) => void
}

export interface RequestEvent {
  readonly method: string
  /** The path without its query. */
  readonly path: string
}

export interface RegistryServer {
  /** `127.0.0.1:5000`, as it is written before a repository. */
  readonly host: string
  readonly url: string
  /** Ends the connections and resolves when nothing listens any more. */
  close(): Promise<void>
}

/** A client that neither sends nor takes a byte for this long is gone. */
const idleMs = 2 * 60_000

/** Serves the distribution API over HTTP until it is closed. */
export async function serveRegistry(options: ServeOptions): Promise<RegistryServer> {
  // No limit on a whole request: a large layer may take an hour.
  const server = createServer({ requestTimeout: 0 })
  server.setTimeout(idleMs)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('no TCP address')
  const shown = address.family === 'IPv6' ? `[${address.address}]` : address.address
  const url = `http://${shown}:${address.port}`
  const registry = createRegistry({
    ...options.storage,
    gate: createGate(options, url),
    ...options.registry,
  })
  server.on('request', (incoming, outgoing) => {
    const request = readRequest(incoming)
    options.onRequest?.({ method: request.method, path: request.path })
    registry
      .handle(request)
      .then((response) => send(outgoing, response, request.method))
      // The client went away, or the storage failed in the middle: cut, so that nobody takes it for the whole.
      .catch(() => outgoing.destroy())
  })
  return {
    host: `${shown}:${address.port}`,
    url,
    async close() {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
      server.closeAllConnections()
      await closed
    },
  }
}

function createGate({ auth, publicUrl }: ServeOptions, url: string): Gate {
  if (auth === undefined) return openGate
  const addressOf = publicUrl === undefined ? addressAsked(url) : (): string => publicUrl
  return auth.kind === 'basic' ? createBasicGate(auth) : createBearerGate(auth, addressOf)
}

function readRequest(incoming: IncomingMessage): RegistryRequest {
  const target = incoming.url ?? '/'
  const mark = target.indexOf('?')
  return {
    method: incoming.method ?? 'GET',
    path: mark === -1 ? target : target.slice(0, mark),
    query: new URLSearchParams(mark === -1 ? '' : target.slice(mark + 1)),
    header(name) {
      const value = incoming.headers[name]
      return typeof value === 'string' ? value : value?.[0]
    },
    body: incoming,
    client: incoming.socket.remoteAddress,
  }
}

async function send(
  outgoing: ServerResponse,
  { status, headers = {}, body }: RegistryResponse,
  method: string,
): Promise<void> {
  const isWhole = body === undefined || body instanceof Uint8Array
  const hasNoBody = status === 204 || method === 'HEAD'
  outgoing.writeHead(status, {
    'docker-distribution-api-version': 'registry/2.0',
    'x-content-type-options': 'nosniff',
    ...(isWhole && !hasNoBody ? { 'content-length': String(body?.byteLength ?? 0) } : {}),
    ...headers,
  })
  if (isWhole) outgoing.end(hasNoBody ? undefined : body)
  else await pipeline(body, outgoing)
}
