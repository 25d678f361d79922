import { KatmanError } from '@katman/oci'
import { abortable } from './abortable.ts'
import { isPrivateAddress } from './address.ts'
import { type AuthChallenge, parseAuthChallenges } from './auth-challenge.ts'
import { basicAuthorization, type BearerToken, fetchBearerToken } from './bearer-token.ts'
import type { Clock } from './clock.ts'
import type { Credential } from './credential.ts'
import type { HttpRequest, HttpResponse } from './http.ts'
import { type Exchange, goUrlError } from './network-error.ts'
import { isTrustedRealm } from './realm-trust.ts'
import { shownUrl } from './shown.ts'

/** A token with less life than this is renewed before it is used. */
const renewBeforeMs = 60_000

export interface AuthorizerOptions {
  /** Finds the credential for a repository of this registry. */
  readonly credential: (repository: string | undefined) => Promise<Credential | undefined>
  readonly send: (request: HttpRequest) => Promise<HttpResponse>
  readonly clock: Clock
  readonly userAgent: string
  /** Realm hosts of other domains that may get the credentials. */
  readonly trustedRealms: readonly string[]
  readonly skipVerify: boolean
  /** Asks for long-lived tokens and takes them: a login. */
  readonly onRefreshToken?: ((token: string) => void) | undefined
}

interface AuthorizeOptions {
  readonly exchange: Exchange
  readonly repository?: string | undefined
  readonly scopes: readonly string[]
  readonly signal?: AbortSignal | undefined
}

/** What one registry wants to know about us, and what it may. */
export interface Authorizer {
  /** Takes the challenges of a 401. True when one of them can be answered. */
  learn(
    header: string | undefined,
    origin: { readonly url: URL; readonly isPrivate: boolean },
  ): boolean
  /** The Authorization header for a request; undefined when none is asked for. */
  authorization(options: AuthorizeOptions): Promise<string | undefined>
  /** Forgets the tokens for these scopes: the registry did not take them. */
  forget(scopes: readonly string[]): void
}

interface Challenged {
  readonly challenge: AuthChallenge
  readonly url: URL
  readonly isPrivate: boolean
}

/** Answers Basic and Bearer challenges of one registry; tokens are kept per scope until they expire. */
export function createAuthorizer(options: AuthorizerOptions): Authorizer {
  const { clock } = options
  const tokens = new Map<string, Promise<BearerToken>>()
  const fresh = new Map<string, BearerToken>()
  const refreshed = new Map<string, string>()
  let challenged: Challenged | undefined

  async function bearer(current: Challenged, call: AuthorizeOptions): Promise<string | undefined> {
    const credential = await options.credential(call.repository)
    if (credential?.kind === 'bearer') return `Bearer ${credential.token}`
    const key = JSON.stringify(call.scopes)
    const kept = fresh.get(key)
    if (kept !== undefined && kept.expiresAt - clock.now() > lifeMargin(kept))
      return `Bearer ${kept.token}`
    let pending = tokens.get(key)
    if (pending === undefined) {
      pending = fetchToken(current, call, credential)
      tokens.set(key, pending)
      const done = (): void => {
        if (tokens.get(key) === pending) tokens.delete(key)
      }
      pending.then(done, done)
    }
    const token = await abortable(pending, call.signal)
    fresh.set(key, token)
    return `Bearer ${token.token}`
  }

  // A token that never lived longer than the margin is used until shortly before its end.
  const lives = new WeakMap<BearerToken, number>()
  function lifeMargin(token: BearerToken): number {
    return Math.min(renewBeforeMs, (lives.get(token) ?? 0) / 10)
  }

  async function fetchToken(
    current: Challenged,
    call: AuthorizeOptions,
    credential: Credential | undefined,
  ): Promise<BearerToken> {
    const { parameters } = current.challenge
    const realm = readRealm(parameters.get('realm'), current, call.exchange)
    if (credential !== undefined && !isTrustedRealm(current.url, realm, options.trustedRealms)) {
      throw realmRefused(
        realm,
        current.url,
        call.exchange,
        'it belongs to another domain, so the credentials are not sent there',
      )
    }
    const service = parameters.get('service')
    const account = credential?.kind === 'identity' ? credential.username : ''
    const newer = refreshed.get(account)
    const asked = clock.now()
    const token = await withContext(call.exchange, () =>
      fetchBearerToken({
        realm,
        service,
        scopes: call.scopes,
        credential:
          credential?.kind === 'identity' && newer !== undefined
            ? { ...credential, token: newer }
            : credential,
        offline: options.onRefreshToken !== undefined,
        publicOnly: !current.isPrivate,
        userAgent: options.userAgent,
        clock,
        send: (request) =>
          options.send(
            options.skipVerify && request.url.hostname === current.url.hostname
              ? { ...request, skipVerify: true }
              : request,
          ),
      }),
    )
    if (credential?.kind === 'identity' && token.refreshToken !== undefined) {
      refreshed.set(account, token.refreshToken)
    }
    if (token.refreshToken !== undefined) options.onRefreshToken?.(token.refreshToken)
    lives.set(token, token.expiresAt - asked)
    return token
  }

  return {
    learn(header, origin) {
      const challenges = parseAuthChallenges(header ?? '')
      const challenge =
        challenges.find(
          ({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm'),
        ) ?? challenges.find(({ scheme }) => scheme === 'basic')
      if (challenge === undefined) return false
      challenged = { challenge, ...origin }
      return true
    },
    async authorization(call) {
      if (challenged === undefined) return undefined
      if (challenged.challenge.scheme === 'bearer') return bearer(challenged, call)
      const credential = await options.credential(call.repository)
      if (credential?.kind === 'basic') return basicAuthorization(credential)
      throw new KatmanError(
        'UNAUTHORIZED',
        `${challenged.url.host} asks for a user name and a password`,
        {
          hint: `log in with: katman login ${challenged.url.host}`,
          details: {
            registry: challenged.url.host,
            dockerMessage: goUrlError(call.exchange, 'no basic auth credentials'),
          },
        },
      )
    },
    forget(scopes) {
      fresh.delete(JSON.stringify(scopes))
    },
  }
}

/** C1: what a registry may name as the place to get tokens, before anything is sent there. */
function readRealm(text: string | undefined, current: Challenged, exchange: Exchange): URL {
  const realm = URL.parse(text ?? '')
  const registry = current.url
  if (realm === null || (realm.protocol !== 'https:' && realm.protocol !== 'http:')) {
    throw realmRefused(realm, registry, exchange, 'it is no http address')
  }
  if (realm.username !== '' || realm.password !== '') {
    throw realmRefused(realm, registry, exchange, 'it has a user')
  }
  if (registry.protocol === 'https:' && realm.protocol === 'http:') {
    throw realmRefused(realm, registry, exchange, 'it leads from https to http')
  }
  if (!current.isPrivate && isPrivateAddress(realm.hostname)) {
    throw realmRefused(realm, registry, exchange, 'a public registry points to a private address')
  }
  realm.hash = ''
  return realm
}

function realmRefused(
  realm: URL | null,
  registry: URL,
  exchange: Exchange,
  reason: string,
): KatmanError {
  const shown = realm === null ? 'malformed' : shownUrl(realm)
  return new KatmanError(
    'AUTH_REALM_REFUSED',
    `refused the token realm ${shown} of registry ${registry.host}: ${reason}`,
    {
      hint: `if you trust it, set KATMAN_TRUSTED_REALMS=${registry.host}=${realm?.host ?? 'HOST'}`,
      details: {
        registry: registry.host,
        realm: shown,
        reason,
        dockerMessage: goUrlError(exchange, `token realm ${shown} refused: ${reason}`),
      },
    },
  )
}

/** Docker tells failures of the token service as failures of the request that needed the token. */
async function withContext<T>(exchange: Exchange, job: () => Promise<T>): Promise<T> {
  try {
    return await job()
  } catch (error) {
    if (!(error instanceof KatmanError)) throw error
    const inner = error.details['dockerMessage']
    throw new KatmanError(error.code, error.message, {
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      details: {
        ...error.details,
        ...(typeof inner === 'string' ? { dockerMessage: goUrlError(exchange, inner) } : {}),
      },
      cause: error,
    })
  }
}
