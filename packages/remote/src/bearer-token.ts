import { JsonNumber, KatmanError, parseJson } from '@katman/oci'
import type { Clock } from './clock.ts'
import type { Credential } from './credential.ts'
import { type HttpRequest, type HttpResponse, readLimited } from './http.ts'
import { goUrlError, responseInvalid } from './network-error.ts'
import { sendFollowing } from './redirect.ts'
import { registryError } from './registry-error.ts'

const maxTokenBytes = 64 * 1024
const defaultLifeMs = 60_000

export interface BearerToken {
  readonly token: string
  /** On the clock it was asked with. */
  readonly expiresAt: number
  /** A newer long-lived token, when the service gave one. */
  readonly refreshToken?: string
}

export interface TokenRequest {
  readonly realm: URL
  readonly service: string | undefined
  readonly scopes: readonly string[]
  readonly credential: Credential | undefined
  /** Ask for a long-lived token too (login). */
  readonly offline?: boolean
  readonly publicOnly: boolean
  readonly userAgent: string
  readonly clock: Clock
  readonly send: (request: HttpRequest) => Promise<HttpResponse>
  readonly signal?: AbortSignal | undefined
}

/**
 * Asks a token service for a token (distribution-spec token authentication): GET, with Basic when there is a
 * password; POST with the refresh token when there is an identity token.
 * Throws what {@link registryError} makes of a refusal, or `RESPONSE_INVALID`.
 */
export async function fetchBearerToken(request: TokenRequest): Promise<BearerToken> {
  const { clock, signal, publicOnly } = request
  const outgoing =
    request.credential?.kind === 'identity'
      ? refreshRequest(request, request.credential.token)
      : getRequest(request)
  const { response } = await sendFollowing(
    request.send,
    { ...outgoing, publicOnly, signal },
    { publicOnly },
  )
  if (response.status !== 200) {
    throw await registryError(response, outgoing, 'token', clock.now())
  }
  const bytes = await readLimited(response, maxTokenBytes)
  if (bytes === undefined) throw responseInvalid(outgoing, 'the token answer is larger than 64 KiB')
  return readToken(bytes, outgoing, clock.now())
}

function getRequest(request: TokenRequest): HttpRequest {
  const url = new URL(request.realm)
  const { credential } = request
  if (credential?.kind === 'basic') url.searchParams.set('account', credential.username)
  if (request.offline) {
    url.searchParams.set('client_id', 'katman')
    url.searchParams.set('offline_token', 'true')
  }
  for (const scope of request.scopes) url.searchParams.append('scope', scope)
  if (request.service !== undefined) url.searchParams.set('service', request.service)
  return {
    method: 'GET',
    url,
    headers: {
      'user-agent': request.userAgent,
      ...(credential?.kind === 'basic' ? { authorization: basicAuthorization(credential) } : {}),
    },
  }
}

function refreshRequest(request: TokenRequest, refreshToken: string): HttpRequest {
  const form = new URLSearchParams({
    client_id: 'katman',
    grant_type: 'refresh_token',
    refresh_token: refreshToken,
    scope: request.scopes.join(' '),
    service: request.service ?? '',
  })
  return {
    method: 'POST',
    url: request.realm,
    headers: {
      'user-agent': request.userAgent,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: Buffer.from(form.toString()),
  }
}

function readToken(bytes: Uint8Array, exchange: HttpRequest, nowMs: number): BearerToken {
  const document = parseJson(bytes, 'token answer', { maxBytes: maxTokenBytes, maxDepth: 16 })
  if (
    typeof document !== 'object' ||
    document === null ||
    Array.isArray(document) ||
    document instanceof JsonNumber
  ) {
    throw responseInvalid(exchange, 'the token answer is not an object')
  }
  const text = (key: string): string | undefined => {
    const value = document[key]
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const token = text('token') ?? text('access_token')
  if (token === undefined) {
    throw new KatmanError(
      'RESPONSE_INVALID',
      `${exchange.url.host}: the token answer has no token`,
      {
        hint: 'the token service of the registry is broken; ask its owner',
        details: {
          transient: false,
          dockerMessage: goUrlError(
            exchange,
            'authorization server did not include a token in the response',
          ),
        },
      },
    )
  }
  // It goes into a header: nothing but visible ASCII may.
  if (!/^[\u0021-\u007e]+$/.test(token)) throw responseInvalid(exchange, 'the token is malformed')
  const expires = document['expires_in']
  const lifeMs = typeof expires === 'number' && expires > 0 ? expires * 1000 : defaultLifeMs
  // Counted on our clock from now: by the service's `issued_at`, tokens of a slow clock would be born dead.
  const refreshToken = text('refresh_token')
  return {
    token,
    expiresAt: nowMs + lifeMs,
    ...(refreshToken === undefined ? {} : { refreshToken }),
  }
}

/** The Authorization header for a user name and password. */
export function basicAuthorization(credential: {
  readonly username: string
  readonly password: string
}): string {
  return `Basic ${Buffer.from(`${credential.username}:${credential.password}`).toString('base64')}`
}
