import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import type { AgentOptions } from 'node:https'
import type { LookupFunction } from 'node:net'
import type { KatmanError } from '@katman/oci'
import { isIpAddress, isPrivateAddress } from './address.ts'
import { readBody } from './http-body.ts'
import {
  defaultHttpLimits,
  type HttpLimits,
  type HttpRequest,
  type HttpResponse,
  type HttpTransport,
  type StreamBody,
} from './http.ts'
import {
  addressRefused,
  networkError,
  privateAddressRefused,
  timeoutError,
} from './network-error.ts'
import { proxyFor } from './proxy.ts'
import { readRootCertificates, type RootCertificateSources } from './root-certificates.ts'
import type { ProxySettings } from './settings.ts'

export interface HttpTransportOptions {
  readonly proxies?: ProxySettings
  /** Authorities trusted in addition to Node's and the system's. Default: none. */
  readonly rootCertificates?: RootCertificateSources
  readonly limits?: Partial<HttpLimits>
  /**
   * Asked for each address before it is dialled, with the host it stands for; false refuses with `ADDRESS_REFUSED`. One refused
   * address of a name refuses them all. Not asked behind a proxy. Default: everything may be dialled.
   */
  readonly mayConnect?: MayConnect
}

export type MayConnect = (address: string, hostname: string) => boolean

/**
 * HTTP over node:http and node:https, with kept-alive connections for each host and its TLS settings.
 * The modules are loaded with the first request that needs them.
 */
export function createHttpTransport(options: HttpTransportOptions = {}): HttpTransport {
  const limits = { ...defaultHttpLimits, ...options.limits }
  const agents = new Map<string, Agent>()
  let known: readonly string[] | undefined
  const roots = (): readonly string[] =>
    (known ??= readRootCertificates(options.rootCertificates ?? { files: [], directories: [] }))

  function agentFor(request: HttpRequest, proxy: string | undefined): Agent {
    const secure = request.url.protocol === 'https:'
    const key = JSON.stringify([
      secure,
      proxy,
      request.publicOnly,
      secure && [request.url.host, request.tls, request.skipVerify],
    ])
    let agent = agents.get(key)
    if (agent === undefined) {
      agent = createAgent(request, proxy, roots)
      agents.set(key, agent)
    }
    return agent
  }

  async function send(request: HttpRequest): Promise<HttpResponse> {
    request.signal?.throwIfAborted()
    const proxy = proxyFor(request.url, options.proxies ?? {})
    const { hostname } = request.url
    if (request.publicOnly && isPrivateAddress(hostname)) {
      throw privateAddressRefused(request, hostname)
    }
    const check = proxy === undefined ? addressCheck(request, options.mayConnect) : undefined
    if (isIpAddress(hostname)) {
      const refusal = check?.(hostname)
      if (refusal !== undefined) throw refusal
    }
    const agent = agentFor(request, proxy)
    try {
      return await exchange(request, agent, limits, { proxied: proxy !== undefined, check })
    } catch (error) {
      // The server closed an idle connection just as it was taken up again: that is no failure.
      if (error instanceof StaleConnection) {
        return exchange(request, agent, limits, {
          proxied: proxy !== undefined,
          check,
          secondTry: true,
        })
      }
      throw error
    }
  }

  return {
    send,
    async [Symbol.asyncDispose]() {
      for (const agent of agents.values()) agent.destroy()
      agents.clear()
    },
  }
}

class StaleConnection extends Error {}

function createAgent(
  request: HttpRequest,
  proxy: string | undefined,
  roots: () => readonly string[],
): Agent {
  const shared: AgentOptions = {
    keepAlive: true,
    keepAliveMsecs: 15_000,
    maxFreeSockets: 16,
    scheduling: 'lifo',
    ...(proxy === undefined ? {} : { proxyEnv: { HTTP_PROXY: proxy, HTTPS_PROXY: proxy } }),
  }
  if (request.url.protocol === 'http:') {
    const { Agent: HttpAgent } = process.getBuiltinModule('node:http')
    return new HttpAgent(shared)
  }
  const { Agent: HttpsAgent } = process.getBuiltinModule('node:https')
  return new HttpsAgent({
    ...shared,
    rejectUnauthorized: !request.skipVerify,
    minVersion: 'TLSv1.2',
    ...(request.skipVerify ? {} : { ca: [...roots(), ...(request.tls?.ca ?? [])] }),
    ...(request.tls?.cert === undefined ? {} : { cert: request.tls.cert }),
    ...(request.tls?.key === undefined ? {} : { key: request.tls.key }),
  })
}

interface ExchangeOptions {
  readonly proxied: boolean
  readonly check: AddressCheck | undefined
  readonly secondTry?: boolean
}

function exchange(
  request: HttpRequest,
  agent: Agent,
  limits: HttpLimits,
  { proxied, check, secondTry = false }: ExchangeOptions,
): Promise<HttpResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpResponse>()
  const { url, signal } = request
  const module = process.getBuiltinModule(url.protocol === 'https:' ? 'node:https' : 'node:http')
  const outgoing = module.request(requestOptions(request, agent, check))
  let settled = false
  let incoming: IncomingMessage | undefined
  let timer: NodeJS.Timeout | undefined

  const wait = (ms: number, what: string, docker?: string): void => {
    clearTimeout(timer)
    timer = setTimeout(() => fail(timeoutError(request, what, ms, docker)), ms)
  }
  const abort = (): void => fail(signal?.reason)
  const finish = (): void => {
    settled = true
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
  function fail(error: unknown): void {
    if (settled) return
    finish()
    outgoing.destroy()
    reject(error)
  }

  signal?.addEventListener('abort', abort, { once: true })
  outgoing.on('error', (error: NodeJS.ErrnoException) => {
    // Malformed bytes after the head are told to the request: the reader of the body has to know.
    incoming?.destroy(error)
    const replayable = request.body === undefined || request.body instanceof Uint8Array
    if (error.code === 'ECONNRESET' && outgoing.reusedSocket && replayable && !secondTry) {
      fail(new StaleConnection())
      return
    }
    fail(isKatman(error) ? error : networkError(error, request))
  })
  outgoing.on('response', (message) => {
    if (settled) return
    finish()
    incoming = message
    resolve(toResponse(message, request, limits, proxied))
    if (!outgoing.writableEnded) message.once('close', () => outgoing.destroy())
  })
  const connected = (): void => {
    clearTimeout(timer)
    const sending = sendBody(outgoing, request.body, {
      // While the source is the slow one, nobody waits for the server.
      waiting: () => {
        if (!settled) wait(limits.idleMs, 'no byte was taken')
      },
      taken: () => clearTimeout(timer),
    })
    const sent = (): void => {
      if (!settled) wait(request.commits ? limits.commitMs : limits.headersMs, 'no response')
    }
    sending.then(sent, fail)
  }
  wait(limits.connectMs, 'no connection', 'net/http: TLS handshake timeout')
  outgoing.on('socket', (socket) => {
    if (!socket.connecting) connected()
    else socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', connected)
  })
  return promise
}

function requestOptions(
  request: HttpRequest,
  agent: Agent,
  check: AddressCheck | undefined,
): RequestOptions {
  const { url, body } = request
  const size = body instanceof Uint8Array ? body.byteLength : body?.size
  const bodyless = request.method === 'GET' || request.method === 'HEAD'
  return {
    agent,
    method: request.method,
    protocol: url.protocol,
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port,
    path: url.pathname + url.search,
    maxHeaderSize: 32 * 1024,
    headers: {
      ...request.headers,
      'accept-encoding': 'identity',
      ...(bodyless ? {} : { 'content-length': String(size ?? 0) }),
    },
    ...(check === undefined ? {} : { lookup: checkedLookup(check) }),
  }
}

/** The refusal of an address; undefined when it may be dialled. */
type AddressCheck = (address: string) => KatmanError | undefined

function addressCheck(
  request: HttpRequest,
  mayConnect: MayConnect | undefined,
): AddressCheck | undefined {
  if (!request.publicOnly && mayConnect === undefined) return undefined
  return (address) => {
    if (request.publicOnly && isPrivateAddress(address)) {
      return privateAddressRefused(request, address)
    }
    return mayConnect?.(address, request.url.hostname) === false
      ? addressRefused(request, address)
      : undefined
  }
}

/** Resolves like the system, but fails when any address is refused: the check holds for what is dialled. */
function checkedLookup(check: AddressCheck): LookupFunction {
  const dns = process.getBuiltinModule('node:dns')
  return (hostname, options, callback) => {
    dns.lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        callback(error, '')
        return
      }
      const refusal = addresses
        .map(({ address }) => check(address))
        .find((found) => found !== undefined)
      if (refusal !== undefined) {
        callback(refusal, '')
      } else if (options.all) {
        callback(null, addresses)
      } else {
        callback(null, addresses[0]?.address ?? '', addresses[0]?.family)
      }
    })
  }
}

/** So much must be taken within the idle limit: small enough for a slow line. */
const pieceBytes = 256 * 1024

async function sendBody(
  outgoing: ClientRequest,
  body: Uint8Array | StreamBody | undefined,
  told: { readonly waiting: () => void; readonly taken: () => void },
): Promise<void> {
  if (body === undefined || body instanceof Uint8Array) {
    outgoing.end(body)
    return
  }
  for await (const chunk of body.open()) {
    for (let at = 0; at < chunk.byteLength; at += pieceBytes) {
      if (outgoing.destroyed) return
      if (outgoing.write(chunk.subarray(at, at + pieceBytes))) continue
      told.waiting()
      await drained(outgoing)
      told.taken()
    }
    if (outgoing.destroyed) return
  }
  outgoing.end()
}

function drained(outgoing: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      outgoing.off('drain', done)
      outgoing.off('close', done)
      resolve()
    }
    outgoing.once('drain', done)
    outgoing.once('close', done)
  })
}

function toResponse(
  message: IncomingMessage,
  request: HttpRequest,
  limits: HttpLimits,
  proxied: boolean,
): HttpResponse {
  const headers = new Map<string, string>()
  for (const [name, values] of Object.entries(message.headersDistinct)) {
    if (values !== undefined) headers.set(name, values.join(', '))
  }
  return {
    status: message.statusCode ?? 0,
    reason: message.statusMessage ?? '',
    headers,
    body: readBody(message, request, limits),
    remoteAddress: proxied ? undefined : message.socket.remoteAddress,
    discard: () => {
      // What is left of a short answer is cheaper to read than a new connection.
      const left = Number(message.headers['content-length'] ?? Number.NaN)
      if (request.method === 'HEAD' || left <= 64 * 1024) message.resume()
      else message.destroy()
    },
  }
}

function isKatman(error: Error): boolean {
  return error.name === 'KatmanError'
}
