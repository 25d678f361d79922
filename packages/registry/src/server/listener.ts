import { randomBytes } from 'node:crypto'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Server as TlsServer } from 'node:https'
import type { Socket } from 'node:net'
import { isKatmanError, KatmanError } from '@katman/oci'
import type { RegistryRequest, RegistryResponse } from '../http.ts'
import { Refusal, refusalResponse } from '../refusal.ts'
import type { AccessLog } from './access-log.ts'
import { checkTarget } from './check-target.ts'
import { Exchange } from './exchange.ts'
import { label, type Metrics } from './metrics.ts'
import { watchPace } from './pace.ts'
import { nameRoute, type RouteName } from './route-name.ts'
import { sendResponse } from './send-response.ts'
import type { ListenAddress, ServerLimits } from './server-options.ts'
import type { Tracing } from './tracing.ts'
import { trustProxies } from './trusted-proxies.ts'
import { createTurns } from './turns.ts'

export interface ListenerOptions {
  readonly listen: ListenAddress
  /** Certificate and key in PEM. Default: plain HTTP. */
  readonly tls?: TlsPair | undefined
  /** Whether other threads listen on the same address. Default false. */
  readonly isShared?: boolean
  readonly limits: ServerLimits
  readonly trustedProxies?: readonly string[] | undefined
  readonly metrics?: Metrics | undefined
  readonly log?: AccessLog | undefined
  readonly tracing?: Tracing | undefined
  /** Called as each request arrives. */
  readonly onRequest?:
    | ((event: { readonly method: string; readonly path: string }) => void)
    | undefined
}

export interface TlsPair {
  readonly cert: string
  readonly key: string
}

export interface Listener {
  /** Where it listens, with the port that was free. */
  readonly address: ListenAddress
  /** From here on connections end with their running request, and no new ones are taken. Resolves when the last is gone. */
  drain(): Promise<void>
  /** Ends everything now. */
  cut(): void
  useTls(pair: TlsPair): void
  /** Writes down how many connections and requests there are. */
  measure(): Promise<void>
}

/** What logs and metrics say of a request whose client did not wait for the answer, as nginx does. */
const clientGone = 499
/** How often slow clients are looked for. */
const lookMs = 5000
/** Bodies of anything but blobs are at most this: a manifest, a form, a JSON document. */
const maxDocument = 4 * 1024 * 1024

/**
 * Listens and answers with `handle`. What `handle` must not see (paths written in two ways, forwarded headers nobody vouches for,
 * bodies beyond every limit) is refused here.
 *
 * @throws KatmanError `LISTEN_FAILED`, `REGISTRY_CONFIG_INVALID`, `TLS_INVALID`.
 */
export async function listen(
  handle: (request: RegistryRequest) => Promise<RegistryResponse>,
  options: ListenerOptions,
): Promise<Listener> {
  const { limits, metrics, log, tracing } = options
  const proxies = options.trustedProxies ?? []
  const isTrusted = proxies.length === 0 ? undefined : trustProxies(proxies)
  const nextID = createIDs()
  const running = new Map<Exchange, ServerResponse>()
  const turns = createTurns()
  let isDraining = false
  const pace = watchPace(limits, (exchange) => {
    metrics?.count('katman_registry_clients_cut_total', 'reason="slow"')
    running.get(exchange)?.destroy()
    exchange.incoming.destroy()
  })

  async function answer(exchange: Exchange, name: RouteName): Promise<RegistryResponse> {
    try {
      checkTarget(exchange.incoming, exchange.path)
      refuseLargeBody(exchange, name)
      return await handle(exchange.request)
    } catch (error) {
      return refusalResponse(error)
    }
  }

  async function serve(
    exchange: Exchange,
    outgoing: ServerResponse,
    name: RouteName,
  ): Promise<void> {
    let status = 0
    let failure: string | undefined
    try {
      if (outgoing.socket === null && !(await turns.wait(exchange.incoming, outgoing))) {
        throw new Error('the client has gone')
      }
      const response = await answer(exchange, name)
      ;({ status } = response)
      if (response.cause !== undefined) failure = reasonOf(response.cause)
      await sendResponse(exchange, outgoing, response, { isLast: isDraining })
    } catch (error) {
      // The client went away, or the storage failed in the middle: cut, so that nobody takes it for the whole.
      failure = reasonOf(error)
      outgoing.destroy()
    }
    if (outgoing.destroyed && !outgoing.writableFinished) {
      failure ??= 'the client has gone'
      // Nobody got the answer, so what it was does not count.
      if (!outgoing.headersSent) status = clientGone
    }
    const seconds = (performance.now() - exchange.startedAt) / 1000
    running.delete(exchange)
    pace.remove(exchange)
    if (isDraining) endConnection(outgoing)
    tracing?.end(exchange, status)
    log?.write(exchange, { status, name, seconds, failure })
    if (metrics !== undefined) count(metrics, exchange, { status, name, seconds })
  }

  /** An answer that began before the end was near has not said that it is the last on its connection. */
  function endConnection(outgoing: ServerResponse): void {
    const end = (): void => {
      setImmediate(() => {
        server.closeIdleConnections()
      })
    }
    if (outgoing.writableFinished || outgoing.destroyed) end()
    else outgoing.once('finish', end)
  }

  const onRequest = (
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    invite: (() => void) | undefined,
  ): void => {
    if (outgoing.socket === null && !turns.isRoom(incoming.socket)) {
      // What had arrived by then is still told.
      if (incoming.socket.destroyed) return
      metrics?.count('katman_registry_clients_cut_total', 'reason="pipelined"')
      incoming.socket.destroy()
      return
    }
    const exchange = new Exchange(incoming, nextID(incoming), isTrusted)
    exchange.invite = invite
    const name = nameRoute(exchange.path)
    running.set(exchange, outgoing)
    pace.add(exchange)
    options.onRequest?.({ method: exchange.method, path: exchange.path })
    const work = (): Promise<void> => serve(exchange, outgoing, name)
    void (tracing === undefined ? work() : tracing.run(exchange, name.route, work))
  }

  const server = create(options)
  server.on('request', (incoming: IncomingMessage, outgoing: ServerResponse) => {
    onRequest(incoming, outgoing, undefined)
  })
  server.on('checkContinue', (incoming: IncomingMessage, outgoing: ServerResponse) => {
    onRequest(incoming, outgoing, () => {
      outgoing.writeContinue()
    })
  })
  server.on('drop', () => metrics?.count('katman_registry_connections_refused_total', ''))
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    metrics?.count('katman_registry_clients_cut_total', 'reason="invalid"')
    refuseConnection(error, socket)
  })
  const address = await open(server, options)
  const timer = setInterval(() => {
    pace.look(performance.now())
  }, lookMs)
  timer.unref()

  return {
    address,
    drain() {
      isDraining = true
      return new Promise((resolve) => {
        server.close(() => {
          clearInterval(timer)
          resolve()
        })
        server.closeIdleConnections()
      })
    },
    cut() {
      for (const outgoing of running.values()) outgoing.destroy()
      server.closeAllConnections()
    },
    measure() {
      metrics?.set('katman_registry_requests_running', '', running.size)
      return new Promise((resolve) => {
        server.getConnections((_, connections) => {
          metrics?.set('katman_registry_connections', '', connections)
          resolve()
        })
      })
    },
    useTls(pair) {
      if ('setSecureContext' in server) server.setSecureContext(pair)
    },
  }
}

function create({ limits, tls }: ListenerOptions): Server | TlsServer {
  const http = {
    // No limit on a whole request: a large layer may take hours. The pace is watched instead.
    requestTimeout: 0,
    headersTimeout: limits.headMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: 2000,
    maxHeaderSize: 16_384,
    insecureHTTPParser: false,
    requireHostHeader: true,
    noDelay: true,
  }
  // An `import` of node:http looks at all it exports, and so loads fetch with it: 13 MB in every thread.
  const server =
    tls === undefined
      ? process.getBuiltinModule('node:http').createServer(http)
      : process.getBuiltinModule('node:https').createServer({
          ...http,
          ...tls,
          minVersion: 'TLSv1.2',
          handshakeTimeout: limits.headMs,
        })
  // Counted by `checkTarget`, which refuses instead of forgetting some.
  server.maxHeadersCount = 0
  server.maxConnections = limits.maxConnections
  return server
}

function open(
  server: Server,
  { listen: { host, port }, isShared }: ListenerOptions,
): Promise<ListenAddress> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(listenFailure({ host, port }, cause))
    })
    server.listen({ host, port, backlog: 1024, reusePort: isShared ?? false }, () => {
      const address = server.address()
      if (address === null || typeof address === 'string') reject(new TypeError('no TCP address'))
      else resolve({ host: address.address, port: address.port })
    })
  })
}

/** Why nothing can listen on an address, for people. */
export function listenFailure({ host, port }: ListenAddress, cause: Error): KatmanError {
  const code = 'code' in cause ? String(cause.code) : ''
  const where = `${host.includes(':') ? `[${host}]` : host}:${port}`
  const reasons: Readonly<Record<string, readonly [string, string]>> = {
    EADDRINUSE: [
      'another program listens there',
      'stop it, or choose another port: --listen HOST:PORT',
    ],
    EACCES: ['no right to this port', 'choose a port from 1024 on'],
    EADDRNOTAVAIL: [
      'this machine has no such address',
      'choose one of its own, or 0.0.0.0 for all',
    ],
    ENOTFOUND: ['the name has no address', 'check its spelling'],
  }
  const [reason, hint] = reasons[code] ?? [
    cause.message,
    'choose another address: --listen HOST:PORT',
  ]
  return new KatmanError('LISTEN_FAILED', `cannot listen on ${where}: ${reason}`, { cause, hint })
}

/** Before credentials are looked at: what is too large for everybody costs nothing. */
function refuseLargeBody({ length, method }: Exchange, { route }: RouteName): void {
  if (route === 'upload' || route === 'uploads' || method === 'GET' || method === 'HEAD') return
  if ((length ?? 0) > maxDocument) {
    throw new Refusal(413, 'SIZE_INVALID', `a document has at most ${maxDocument} bytes`)
  }
}

function refuseConnection(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const status =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? '408 Request Timeout'
        : '400 Bad Request'
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => {
    socket.destroy()
  })
}

function count(
  metrics: Metrics,
  exchange: Exchange,
  {
    status,
    name,
    seconds,
  }: { readonly status: number; readonly name: RouteName; readonly seconds: number },
): void {
  const where = labelsOf(exchange.method, name.route)
  metrics.count('katman_registry_requests_total', `${where},status="${status}"`)
  metrics.observe('katman_registry_request_duration_seconds', where, seconds)
  if (exchange.received > 0)
    metrics.count('katman_registry_received_bytes_total', '', exchange.received)
  if (exchange.sent > 0) metrics.count('katman_registry_sent_bytes_total', '', exchange.sent)
}

const methods = new Set(['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS'])

function labelsOf(method: string, route: string): string {
  return `${label('method', methods.has(method) ? method : 'other')},route="${route}"`
}

/** For the log: what an error says, and what it is from. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = isKatmanError(error) ? `${error.code}: ` : ''
  // Where in the program, for what nobody foresaw.
  const where = isKatmanError(error) || 'code' in error ? '' : (error.stack?.split('\n')[1] ?? '')
  return `${code}${error.message}${where.replace(/^\s+/, ' ')}`
}

/** A client's own id when it is a plain word, else one that no other request has. */
function createIDs(): (incoming: IncomingMessage) => string {
  const start = randomBytes(6).toString('hex')
  let made = 0
  return ({ headers }) => {
    const given = headers['x-request-id']
    if (typeof given === 'string' && /^[\w.-]{1,64}$/.test(given)) return given
    return `${start}-${(made++).toString(36)}`
  }
}
