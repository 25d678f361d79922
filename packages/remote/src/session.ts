import { isKatmanError, KatmanError } from '@katman/oci'
import { abortable } from './abortable.ts'
import { isLoopbackHost, isPrivateAddress } from './address.ts'
import { type Authorizer, createAuthorizer } from './authorizer.ts'
import type { Clock } from './clock.ts'
import type { CredentialSource } from './credential.ts'
import type { HttpRequest, HttpResponse, HttpTransport, StreamBody } from './http.ts'
import { type Exchange, responseInvalid } from './network-error.ts'
import { type FinalResponse, sendFollowing } from './redirect.ts'
import { registryError, type RegistrySubject } from './registry-error.ts'
import type { RegistryHost, TlsSettings } from './settings.ts'
import { shownUrl } from './shown.ts'

/** One request to a registry, below its API root. */
export interface RegistryRequest {
  readonly method: HttpRequest['method']
  /** Path below `/v2/`, or a whole URL the registry gave us. */
  readonly target: string | URL
  readonly subject: RegistrySubject
  readonly repository?: string | undefined
  /** Token scopes, such as `repository:library/alpine:pull`. */
  readonly scopes: readonly string[]
  /** Sent as it is (`none`: not at all) in place of what the host asked for, and once only. */
  readonly authorization?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | StreamBody | undefined
  /** See {@link HttpRequest.commits}. */
  readonly commits?: boolean
  readonly signal?: AbortSignal | undefined
}

/** What a session stands on. */
export interface SessionOptions {
  readonly host: RegistryHost
  /** The name credentials are kept under: `docker.io`, `host[:port]`. */
  readonly registry: string
  /** May speak http and show unknown certificates. */
  readonly insecure: boolean
  readonly tls: TlsSettings | undefined
  readonly transport: HttpTransport
  readonly credentials: CredentialSource
  readonly clock: Clock
  readonly userAgent: string
  readonly trustedRealms: readonly string[]
  /** Asks for long-lived tokens and takes them: a login. */
  readonly onRefreshToken?: ((token: string) => void) | undefined
}

/** The conversation with one host: its scheme, what it wants for authorization, how it has been doing. */
export interface Session {
  readonly host: string
  /** Finds out how the host is spoken to: `GET /v2/`. Resolves with the API root. */
  connect(signal?: AbortSignal): Promise<URL>
  /**
   * Sends with authorization, follows redirects, answers one 401 with a fresh token. Any other status comes
   * back as it is. Throws network errors, `AUTH_REALM_REFUSED`, `REDIRECT_REFUSED`, `RESPONSE_INVALID`.
   */
  exchange(request: RegistryRequest): Promise<FinalResponse>
  /** Like `exchange`, but throws {@link registryError} for any status that is not expected. */
  expect(request: RegistryRequest, statuses: readonly number[]): Promise<FinalResponse>
  /** Tries the credentials at the API root. Throws `UNAUTHORIZED` when they are not taken. */
  authenticate(signal?: AbortSignal): Promise<void>
  /** False while the host failed again and again lately. */
  usable(): boolean
}

const breakAfter = 3
const breakMs = 30_000

/** Opens a session. Nothing is sent before the first request. */
export function createSession(options: SessionOptions): Session {
  const { host, transport, clock } = options
  const prefix = `${host.pathPrefix ?? '/v2'}/`
  const authorizer: Authorizer = createAuthorizer({
    credential: (repository) => options.credentials.get(options.registry, repository),
    send: (request) => transport.send(request),
    clock,
    userAgent: options.userAgent,
    trustedRealms: options.trustedRealms,
    onRefreshToken: options.onRefreshToken,
    skipVerify: options.insecure || host.skipVerify === true,
  })
  let connecting: Promise<URL> | undefined
  let connected = false
  let isPrivate = false
  let failures = 0
  let brokenUntil = 0

  function connect(signal?: AbortSignal): Promise<URL> {
    if (connecting === undefined) {
      const attempt = probe()
      connecting = attempt
      attempt.then(
        () => {
          connected = true
        },
        () => {
          if (connecting === attempt) connecting = undefined
        },
      )
    }
    return abortable(connecting, signal)
  }

  async function probe(): Promise<URL> {
    let failure: KatmanError | undefined
    for (const scheme of schemes(options)) {
      const root = new URL(`${scheme}://${host.host}${prefix}`)
      try {
        const response = await transport.send({
          method: 'GET',
          url: root,
          headers: { 'user-agent': options.userAgent },
          ...trust(root),
        })
        if (
          scheme === 'http' &&
          speaksOnlyTls(response, root) &&
          schemes(options).includes('https')
        ) {
          response.discard()
          continue
        }
        isPrivate =
          isPrivateAddress(response.remoteAddress ?? root.hostname) || isLoopbackHost(root.hostname)
        if (response.status === 401) {
          authorizer.learn(response.headers.get('www-authenticate'), { url: root, isPrivate })
        }
        response.discard()
        return root
      } catch (error) {
        if (!isKatmanError(error)) throw error
        failure = worse(failure, error, scheme)
        if (error.code === 'CONNECTION_REFUSED' && /:\d+$/.test(host.host)) break
      }
    }
    throw connected ? failure : firstContact(failure)
  }

  function trust(url: URL): Pick<HttpRequest, 'tls' | 'skipVerify'> {
    if (url.protocol !== 'https:' || url.host !== host.host) return {}
    const tls = host.tls ?? options.tls
    // A CA of its own means that the certificate is to be checked, even where http would be allowed.
    const skip = host.skipVerify ?? (options.insecure && tls?.ca === undefined)
    return { ...(tls === undefined ? {} : { tls }), ...(skip ? { skipVerify: true } : {}) }
  }

  async function exchange(request: RegistryRequest): Promise<FinalResponse> {
    const root = await connect(request.signal)
    const url = request.target instanceof URL ? request.target : new URL(root.href + request.target)
    const context: Exchange = { method: request.method, url }
    const ours = url.origin === root.origin
    for (let renewed = false; ; renewed = true) {
      const authorization = ours
        ? (request.authorization ??
          (await authorizer.authorization({
            exchange: context,
            repository: request.repository,
            scopes: request.scopes,
            signal: request.signal,
          })))
        : undefined
      const publicOnly = !isPrivate
      const final = await counted(() =>
        sendFollowing(
          (hop) => transport.send(hop),
          {
            method: request.method,
            url,
            headers: {
              ...request.headers,
              'user-agent': options.userAgent,
              ...(authorization === undefined || authorization === 'none' ? {} : { authorization }),
            },
            body: request.body,
            ...trust(url),
            publicOnly: ours ? false : publicOnly,
            signal: request.signal,
            ...(request.commits === undefined ? {} : { commits: request.commits }),
          },
          { publicOnly },
        ),
      )
      const { response } = final
      const encoding = response.headers.get('content-encoding')
      if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
        response.discard()
        throw responseInvalid(
          context,
          `content encoding ${JSON.stringify(encoding.slice(0, 40))} although identity was asked for`,
        )
      }
      const tried =
        renewed || request.authorization !== undefined || authorization?.startsWith('Basic ')
      if (response.status !== 401 || tried || !ours || final.url.origin !== root.origin) {
        return final
      }
      authorizer.forget(request.scopes)
      if (!authorizer.learn(response.headers.get('www-authenticate'), { url: root, isPrivate }))
        return final
      response.discard()
    }
  }

  async function counted(job: () => Promise<FinalResponse>): Promise<FinalResponse> {
    try {
      const final = await job()
      if (final.response.status < 500) failures = 0
      else failed()
      return final
    } catch (error) {
      if (isKatmanError(error)) failed()
      throw error
    }
  }

  function failed(): void {
    failures++
    if (failures >= breakAfter) {
      failures = 0
      brokenUntil = clock.now() + breakMs
    }
  }

  return {
    host: host.host,
    connect,
    exchange,
    async expect(request, statuses) {
      const final = await exchange(request)
      if (statuses.includes(final.response.status)) return final
      const context = { method: request.method, url: final.url }
      throw await registryError(final.response, context, request.subject, clock.now())
    },
    async authenticate(signal) {
      const { response, url } = await exchange({
        method: 'GET',
        target: '',
        subject: 'registry',
        scopes: [],
        signal,
      })
      if (response.status === 200) {
        response.discard()
        return
      }
      const error = await registryError(response, { method: 'GET', url }, 'registry', clock.now())
      throw new KatmanError(error.code, error.message, {
        hint: response.status === 401 ? 'check the user name and the password' : (error.hint ?? ''),
        details: {
          ...error.details,
          dockerMessage: `login attempt to ${shownUrl(url)} failed with status: ${response.status} ${response.reason}`,
        },
      })
    },
    usable: () => clock.now() >= brokenUntil,
  }
}

/**
 * The schemes to try, in order. Loopback is asked by http first: nothing secret is in the question, and plain
 * http is what stands there nearly always. Elsewhere http comes second, and only when it is allowed.
 */
function schemes(options: SessionOptions): readonly ('http' | 'https')[] {
  if (options.host.scheme !== undefined) return [options.host.scheme]
  const hostname = new URL(`http://${options.host.host}`).hostname
  if (isLoopbackHost(hostname)) return ['http', 'https']
  return options.insecure ? ['https', 'http'] : ['https']
}

/** How TLS servers answer plain http: 400, or a redirect to https. */
function speaksOnlyTls(response: HttpResponse, root: URL): boolean {
  if (response.status === 400) return true
  const location = URL.parse(response.headers.get('location') ?? '', root.href)
  return response.status >= 300 && response.status < 400 && location?.protocol === 'https:'
}

/** Of the failures with both schemes, docker tells the one with http, unless the certificate was the trouble. */
function worse(earlier: KatmanError | undefined, later: KatmanError, scheme: string): KatmanError {
  if (earlier === undefined) return later
  const secure = scheme === 'https' ? later : earlier
  const plain = scheme === 'https' ? earlier : later
  const told = String(secure.details['dockerMessage'])
  return secure.code === 'TLS_ERROR' && told.includes('x509') ? secure : plain
}

/** A host that refuses its first contact is most likely misspelt or down: told at once, not tried again. */
function firstContact(error: KatmanError | undefined): KatmanError | undefined {
  if (error?.code !== 'CONNECTION_REFUSED') return error
  return new KatmanError(error.code, error.message, {
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    details: { ...error.details, transient: false },
    cause: error.cause,
  })
}
