import { type BasicAuth, createBasicGate } from './basic-auth.ts'
import { type BearerAuth, createBearerGate } from './bearer-auth.ts'
import { type Gate, openGate } from './access.ts'
import { addressAsked } from './address.ts'
import { createRegistry, type CreateRegistryOptions, type Registry } from './registry.ts'
import { listen } from './server/listener.ts'
import { defaultLimits } from './server/server-options.ts'
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
  /** Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` count: IP addresses and networks. Default: none. */
  readonly trustedProxies?: readonly string[]
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

/** Serves the distribution API over HTTP until it is closed. */
export async function serveRegistry(options: ServeOptions): Promise<RegistryServer> {
  const { host = '127.0.0.1', onRequest, port = 0, trustedProxies } = options
  // The gate of the registry tells clients the address that is known only then.
  const ready = Promise.withResolvers<Registry>()
  const listener = await listen(async (request) => (await ready.promise).handle(request), {
    listen: { host, port },
    limits: defaultLimits,
    trustedProxies,
    onRequest,
  })
  const { address } = listener
  const shown = `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`
  const gate = createGate(options, `http://${shown}`)
  ready.resolve(createRegistry({ ...options.storage, gate, ...options.registry }))
  return {
    host: shown,
    url: `http://${shown}`,
    async close() {
      const closed = listener.drain()
      listener.cut()
      await closed
    },
  }
}

function createGate({ auth, publicUrl }: ServeOptions, url: string): Gate {
  if (auth === undefined) return openGate
  const addressOf = publicUrl === undefined ? addressAsked(url) : (): string => publicUrl
  return auth.kind === 'basic' ? createBasicGate(auth) : createBearerGate(auth, addressOf)
}
