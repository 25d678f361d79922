import { parseAuthChallenges } from './auth-challenge.ts'
import { basicAuthorization } from './bearer-token.ts'
import type { Credential } from './credential.ts'
import { readLimited } from './http.ts'
import { responseInvalid } from './network-error.ts'
import { registryError } from './registry-error.ts'
import type { Session } from './session.ts'

/** One request to an API that a registry has beside the distribution API. */
export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** From the root of the host: `/api/v1/accounts?n=100`. */
  readonly path: string
  /** Sent as JSON. */
  readonly body?: unknown
  readonly signal?: AbortSignal | undefined
}

export interface ApiResponse {
  /** 2xx, or 400 and above where the API says itself what is wrong. */
  readonly status: number
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: Uint8Array
}

const maxBytes = 16 * 1024 * 1024

/**
 * Sends the password, or the access token, that is kept for the registry, without being asked for it; never a token for the
 * distribution API, which such APIs do not take. Throws `UNAUTHORIZED` when it is not taken, and network errors.
 */
export async function askApi(
  session: Session,
  { method, path, body, signal }: ApiRequest,
  credential: Credential | undefined,
): Promise<ApiResponse> {
  const target = new URL(path, await session.connect(signal))
  const { response, url } = await session.exchange({
    method,
    target,
    subject: 'registry',
    scopes: [],
    authorization: credential?.kind === 'basic' ? basicAuthorization(credential) : 'none',
    ...(body === undefined
      ? {}
      : {
          headers: { 'content-type': 'application/json' },
          body: Buffer.from(JSON.stringify(body)),
        }),
    signal,
  })
  const exchange = { method, url }
  const isChallenged =
    parseAuthChallenges(response.headers.get('www-authenticate') ?? '').length > 0
  if (response.status === 401 && isChallenged) {
    throw await registryError(response, exchange, 'registry', Date.now())
  }
  const bytes = await readLimited(response, maxBytes)
  if (bytes === undefined) throw responseInvalid(exchange, 'the answer exceeds 16 MiB')
  return { status: response.status, headers: response.headers, body: bytes }
}
