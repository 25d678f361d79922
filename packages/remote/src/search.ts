import {
  isKatmanError,
  JsonNumber,
  type JsonObject,
  type JsonValue,
  KatmanError,
  parseJson,
} from '@katman/oci'
import { parseAuthChallenges } from './auth-challenge.ts'
import { basicAuthorization } from './bearer-token.ts'
import type { Credential } from './credential.ts'
import { goJsonError } from './go-json-error.ts'
import { readLimited } from './http.ts'
import { responseInvalid } from './network-error.ts'
import type { FinalResponse } from './redirect.ts'
import { registryError } from './registry-error.ts'
import type { Session } from './session.ts'
import { shownText } from './shown.ts'

/** One repository that a search found. Texts are the registry's: untrusted, of any length and kind. */
export interface SearchResult {
  readonly name: string
  readonly description: string
  readonly starCount: number
  readonly isOfficial: boolean
  readonly isAutomated: boolean
}

export interface SearchRequest {
  /** What to look for; empty is what the registry makes of it. */
  readonly term: string
  /** How many results to ask for. A registry may give more or fewer. */
  readonly limit: number
  readonly credential: Credential | undefined
  readonly signal?: AbortSignal | undefined
}

const maxBytes = 16 * 1024 * 1024

/**
 * Asks a registry's search, as docker's engine does: `GET /v1/search?q=TERM&n=LIMIT`. A password is sent without being
 * asked for, as docker does; whoever refuses it and names a token service gets a token. Throws `SEARCH_UNSUPPORTED` where there
 * is no search, `RESPONSE_INVALID` for an answer that is none, and what {@link registryError} makes of other refusals.
 */
export async function searchRegistry(
  session: Session,
  request: SearchRequest,
): Promise<readonly SearchResult[]> {
  const { response, url } = await ask(session, request)
  const exchange = { method: 'GET', url }
  if (response.status !== 200) {
    const error = await registryError(response, exchange, 'registry', Date.now())
    throw refused(error, response.status, session.host)
  }
  const bytes = await readLimited(response, maxBytes)
  if (bytes === undefined) throw responseInvalid(exchange, 'the search results exceed 16 MiB')
  return readResults(bytes, (reason) => {
    const dockerMessage = `error decoding registry search results: ${reason}`
    const { message, hint = '', details } = responseInvalid(exchange, dockerMessage)
    return new KatmanError('RESPONSE_INVALID', message, {
      hint,
      details: { ...details, dockerMessage },
    })
  })
}

async function ask(session: Session, request: SearchRequest): Promise<FinalResponse> {
  const { credential, signal } = request
  const query = new URLSearchParams({ q: request.term, n: String(request.limit) })
  const path = `/v1/search?${query.toString()}`
  const root = await session.connect(signal).catch((error: unknown) => {
    throw ofSearch(error, path)
  })
  const target = new URL(path, root)
  const question = {
    method: 'GET',
    target,
    subject: 'registry',
    scopes: ['registry:catalog:search'],
    signal,
  } as const
  if (credential !== undefined && credential.kind !== 'basic') return session.exchange(question)
  const authorization = credential === undefined ? 'none' : basicAuthorization(credential)
  const first = await session.exchange({ ...question, authorization })
  const challenges = parseAuthChallenges(first.response.headers.get('www-authenticate') ?? '')
  const wantsToken = challenges.some(({ scheme }) => scheme === 'bearer')
  if (first.response.status !== 401 || !wantsToken) return first
  first.response.discard()
  return session.exchange(question)
}

/** docker does not look first how the host is spoken to: its error is that of the search. */
function ofSearch(error: unknown, path: string): unknown {
  const told = isKatmanError(error) ? error.details['dockerMessage'] : undefined
  if (!isKatmanError(error) || typeof told !== 'string') return error
  return new KatmanError(error.code, error.message, {
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    details: {
      ...error.details,
      dockerMessage: told.replace('/v2/"', () => `${shownText(path)}"`),
    },
    cause: error,
  })
}

function refused(error: KatmanError, status: number, host: string): KatmanError {
  const none = status === 404 || status === 405
  return new KatmanError(none ? 'SEARCH_UNSUPPORTED' : error.code, error.message, {
    ...(none
      ? {
          hint: `${host} has no search; list what it has with: katman search --catalog ${host}/TERM`,
        }
      : error.hint === undefined
        ? {}
        : { hint: error.hint }),
    details: { ...error.details, dockerMessage: `Unexpected status code ${status}` },
  })
}

function readResults(
  bytes: Uint8Array,
  invalid: (reason: string) => KatmanError,
): readonly SearchResult[] {
  let document: JsonValue
  try {
    document = parseJson(bytes, 'search results', { maxBytes })
  } catch (error) {
    const text = Buffer.from(bytes).toString()
    if (text.trim() === '') throw invalid('EOF')
    throw invalid(goJsonError(text) ?? (error instanceof Error ? error.message : 'no JSON'))
  }
  if (document === null) return []
  if (!isObject(document)) throw invalid('not an object')
  const list = document['results'] ?? []
  if (!Array.isArray(list)) throw invalid('results is no list')
  return list.map((item) => {
    if (!isObject(item)) throw invalid('a result is not an object')
    return {
      name: text(item['name']),
      description: text(item['description']),
      starCount: typeof item['star_count'] === 'number' ? item['star_count'] : 0,
      isOfficial: item['is_official'] === true,
      isAutomated: item['is_automated'] === true,
    }
  })
}

/** Hub leaves out, or sets to null, what a repository does not have. */
function text(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : ''
}

function isObject(value: JsonValue): value is JsonObject {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof JsonNumber)
  )
}
