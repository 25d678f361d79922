import type { Bytes, Digest } from '@katman/oci'
import { type ApiRequest, type ApiResponse, askApi } from './ask-api.ts'
import { isLoopbackHost, isIpAddress, inBlock } from './address.ts'
import { type Clock, systemClock } from './clock.ts'
import type { CredentialSource } from './credential.ts'
import { download } from './download.ts'
import type { HttpLimits, HttpTransport } from './http.ts'
import { createHttpTransport } from './http-transport.ts'
import { type Candidate, candidatesFor, originHost, searchHost } from './mirrors.ts'
import type { RepositoryHost } from './host-choice.ts'
import { createRepository, type RemoteRepository } from './repository.ts'
import { type Patience, type RetryEvent, retrying } from './retry.ts'
import { searchRegistry, type SearchResult } from './search.ts'
import { createSession, type Session } from './session.ts'
import type { RemoteSettings } from './settings.ts'
import { listRepositories } from './tag-list.ts'
import type { UploadLedger } from './upload-ledger.ts'

/** What the client reports while it works. */
export type RemoteEvent = RetryEvent

export interface RemoteOptions {
  readonly settings: RemoteSettings
  readonly credentials: CredentialSource
  /** Sent as `User-Agent`: `katman/1.0 (linux; x64)`. */
  readonly userAgent: string
  readonly onEvent?: ((event: RemoteEvent) => void) | undefined
  /** Default: the system's. */
  readonly clock?: Clock
  /** Default: node:http. Disposed with the remote. */
  readonly transport?: HttpTransport
  /** How often and how long it tries before it says that it failed. Default: as a person would. */
  readonly patience?: Patience
  /** Waits of the default transport. */
  readonly limits?: Partial<HttpLimits>
}

/** Which repository. `docker.io` is Docker Hub. */
export interface RepositoryName {
  /** Host and optional port. */
  readonly registry: string
  readonly repository: string
}

/** The registries of the world, as places. */
export interface Remote extends AsyncDisposable {
  /**
   * Opens a repository; nothing is sent yet. `mountSources` names other repositories of the same registry that may
   * have a blob: it is mounted from the first instead of uploaded, if the registry will. `uploadLedger` remembers
   * unfinished uploads for the next process. Throws `REGISTRY_BLOCKED`.
   */
  repository(
    name: RepositoryName,
    options?: {
      readonly mountSources?: (digest: Digest) => readonly string[]
      readonly uploadLedger?: UploadLedger
    },
  ): RemoteRepository
  /**
   * Tries a user name and password at a registry. Resolves with the identity token that its token service gives
   * in their place, if it does. Throws `UNAUTHORIZED` and network errors; nothing is tried twice.
   */
  authenticate(login: {
    readonly registry: string
    readonly username: string
    readonly password: string
    readonly signal?: AbortSignal | undefined
  }): Promise<{ readonly identityToken?: string }>
  /**
   * Asks the search of a registry (`docker.io` or `host[:port]`; mirrors are not asked). Throws `SEARCH_UNSUPPORTED`,
   * `REGISTRY_BLOCKED`, `UNAUTHORIZED`, `RESPONSE_INVALID` and network errors.
   */
  search(question: {
    readonly registry: string
    readonly term: string
    /** How many results to ask for, 1 to 100. */
    readonly limit: number
    readonly signal?: AbortSignal | undefined
  }): Promise<readonly SearchResult[]>
  /**
   * Asks an API that a registry (`host[:port]`) has beside the distribution API, with the password that is kept for it.
   * Nothing is tried twice. Throws `UNAUTHORIZED`, `REGISTRY_BLOCKED`, `RESPONSE_INVALID` and network errors.
   */
  ask(question: ApiRequest & { readonly registry: string }): Promise<ApiResponse>
  /** The repositories of a registry, as far as it tells. Throws `REGISTRY_BLOCKED` and network errors. */
  repositories(
    registry: string,
    options?: { readonly signal?: AbortSignal | undefined },
  ): AsyncIterable<string>
  /**
   * Opens the content of any URL, with the proxies and root certificates of the settings; no registry's credentials are
   * sent. Throws `DOWNLOAD_REFUSED`, `REDIRECT_REFUSED` and network errors.
   */
  download(url: string, options?: { readonly signal?: AbortSignal | undefined }): Promise<Bytes>
}

/** Opens the registry client. Connections and tokens are shared by its repositories until it is disposed. */
export function createRemote(options: RemoteOptions): Remote {
  const { settings } = options
  const clock = options.clock ?? systemClock
  const transport =
    options.transport ??
    createHttpTransport({
      proxies: settings.proxies,
      rootCertificates: settings.rootCertificates,
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    })
  const sessions = new Map<string, Session>()

  function openSession(
    { host, registry }: Pick<Candidate, 'host' | 'registry'>,
    credentials: CredentialSource,
    onRefreshToken?: (token: string) => void,
  ): Session {
    return createSession({
      host,
      registry,
      insecure: host.insecure === true || isInsecure(host.host, settings.insecureRegistries),
      tls: settings.tls.get(host.host),
      transport,
      credentials,
      clock,
      userAgent: options.userAgent,
      trustedRealms: settings.trustedRealms.get(host.host) ?? [],
      onRefreshToken,
    })
  }

  function sessionFor(candidate: Pick<Candidate, 'host' | 'registry'>): Session {
    const key = JSON.stringify([candidate.registry, candidate.host])
    let session = sessions.get(key)
    if (session === undefined) {
      session = openSession(candidate, options.credentials)
      sessions.set(key, session)
    }
    return session
  }

  return {
    repository({ registry, repository }, { mountSources, uploadLedger } = {}) {
      const { mirrors, origin } = candidatesFor(settings, registry, repository)
      const withSession = (candidate: Candidate): RepositoryHost => ({
        candidate,
        session: sessionFor(candidate),
      })
      return createRepository({
        registry,
        repository,
        mirrors: mirrors.map(withSession),
        origin: withSession(origin),
        clock,
        onEvent: options.onEvent,
        patience: options.patience,
        mountSources,
        uploadLedger,
      })
    },
    async authenticate({ registry, username, password, signal }) {
      let identityToken: string | undefined
      const session = openSession(
        { registry, host: originHost(settings, registry) },
        { get: async () => ({ kind: 'basic', username, password }) },
        (token) => {
          identityToken = token
        },
      )
      await session.authenticate(signal)
      return identityToken === undefined ? {} : { identityToken }
    },
    async search({ registry, term, limit, signal }) {
      const { host, registry: key } = searchHost(settings, registry)
      const session = sessionFor({ host, registry: key })
      const credential = await options.credentials.get(key)
      const patience = { clock, what: 'search', signal, onEvent: options.onEvent, attempts: 3 }
      return retrying(patience, () => searchRegistry(session, { term, limit, credential, signal }))
    },
    async ask({ registry, ...question }) {
      const session = sessionFor(candidatesFor(settings, registry, '').origin)
      return askApi(session, question, await options.credentials.get(registry))
    },
    repositories(registry, { signal } = {}) {
      const session = sessionFor(candidatesFor(settings, registry, '').origin)
      return listRepositories(
        (target) =>
          retrying({ clock, what: 'list of repositories', signal, onEvent: options.onEvent }, () =>
            session.expect(
              {
                method: 'GET',
                target,
                subject: 'registry',
                scopes: ['registry:catalog:*'],
                signal,
              },
              [200],
            ),
          ),
        '_catalog?n=1000',
      )
    },
    download: (url, call = {}) =>
      download(transport, url, { userAgent: options.userAgent, signal: call.signal }),
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  }
}

/** Loopback hosts always are; others by `host`, `host:port`, CIDR block or `*`. */
function isInsecure(host: string, list: readonly string[]): boolean {
  const { hostname } = new URL(`http://${host}`)
  if (isLoopbackHost(hostname)) return true
  return list.some(
    (entry) =>
      entry === '*' ||
      entry === host ||
      entry === hostname ||
      (entry.includes('/') && isIpAddress(hostname) && inBlock(hostname, entry)),
  )
}
