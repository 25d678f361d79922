import { JsonNumber, type JsonObject, type JsonValue, KatmanError, parseJson } from '@katman/oci'
import { parseAuthChallenges } from './auth-challenge.ts'
import { goJsonError } from './go-json-error.ts'
import { type HttpResponse, readLimited } from './http.ts'
import type { Exchange } from './network-error.ts'
import { parseRetryAfter } from './retry.ts'
import { shownLine, shownText, shownUrl } from './shown.ts'

const maxErrorBytes = 64 * 1024

/** What was asked for, so that a 404 gets the right code. */
export type RegistrySubject = 'manifest' | 'blob' | 'tags' | 'upload' | 'token' | 'registry'

/** The texts docker knows for codes without a message of their own. */
const defaultMessages: Readonly<Record<string, string>> = {
  UNAUTHORIZED: 'authentication required',
  DENIED: 'requested access to the resource is denied',
  MANIFEST_UNKNOWN: 'manifest unknown',
  NAME_UNKNOWN: 'repository name not known to registry',
  BLOB_UNKNOWN: 'blob unknown to registry',
  TOOMANYREQUESTS: 'too many requests',
  UNSUPPORTED: 'The operation is unsupported.',
  UNKNOWN: 'unknown error',
  UNAVAILABLE: 'service unavailable',
  NAME_INVALID: 'invalid repository name',
  TAG_INVALID: 'manifest tag did not match URI',
  SIZE_INVALID: 'provided length did not match content length',
  DIGEST_INVALID: 'provided digest did not match uploaded content',
  MANIFEST_INVALID: 'manifest invalid',
  MANIFEST_UNVERIFIED: 'manifest failed signature verification',
  MANIFEST_BLOB_UNKNOWN: 'blob unknown to registry',
  BLOB_UPLOAD_UNKNOWN: 'blob upload unknown to registry',
  BLOB_UPLOAD_INVALID: 'blob upload invalid',
}

interface RegistryProblem {
  readonly code: string
  readonly message: string
  readonly detail: boolean
}

/**
 * Turns an answer that is no success into an error: `UNAUTHORIZED`, `DENIED`, `MANIFEST_UNKNOWN`,
 * `BLOB_UNKNOWN`, `NAME_UNKNOWN`, `TOO_MANY_REQUESTS`, `REGISTRY_ERROR`. `details.dockerMessage` is what docker
 * prints for the same answer. Reads and bounds the body.
 */
export async function registryError(
  response: HttpResponse,
  exchange: Exchange,
  subject: RegistrySubject,
  nowMs: number,
): Promise<KatmanError> {
  const bytes = await readErrorBody(response)
  const { status } = response
  const parsed = parseProblems(bytes)
  const problems = typeof parsed === 'string' ? [] : parsed
  const code = errorCode(status, problems, subject)
  const dockerMessage = dockerText(response, bytes, parsed, subject)
  const retryAfterMs = parseRetryAfter(response.headers.get('retry-after'), nowMs)
  const said = problems
    .map((problem) => problem.message || problem.code)
    .filter((text) => text !== '')
    .join('; ')
  const what = `${exchange.method} ${shownUrl(exchange.url)}`
  return new KatmanError(
    code,
    shownText(`${what}: ${status} ${response.reason}${said === '' ? '' : `: ${said}`}`),
    {
      hint: hintFor(code, exchange, retryAfterMs),
      details: {
        status,
        method: exchange.method,
        url: shownUrl(exchange.url),
        dockerMessage,
        registryCodes: problems.map((problem) => problem.code),
        ...(retryAfterMs === undefined
          ? {}
          : {
              retryAfterMs,
              retryAt: new Date(Math.min(nowMs + retryAfterMs, 8e15)).toISOString(),
            }),
      },
    },
  )
}

async function readErrorBody(response: HttpResponse): Promise<Uint8Array> {
  try {
    return (await readLimited(response, maxErrorBytes)) ?? new Uint8Array()
  } catch {
    // The status is the error; a body that breaks off adds nothing.
    return new Uint8Array()
  }
}

function errorCode(
  status: number,
  problems: readonly RegistryProblem[],
  subject: RegistrySubject,
): string {
  if (status === 401) return 'UNAUTHORIZED'
  if (status === 403) return 'DENIED'
  if (status === 429) return 'TOO_MANY_REQUESTS'
  const codes = new Set(problems.map((problem) => problem.code))
  if (codes.has('DENIED')) return 'DENIED'
  if (codes.has('UNAUTHORIZED')) return 'UNAUTHORIZED'
  if (codes.has('TOOMANYREQUESTS')) return 'TOO_MANY_REQUESTS'
  if (status !== 404) return 'REGISTRY_ERROR'
  if (codes.has('NAME_UNKNOWN')) return 'NAME_UNKNOWN'
  if (subject === 'manifest') return 'MANIFEST_UNKNOWN'
  if (subject === 'blob') return 'BLOB_UNKNOWN'
  return subject === 'tags' ? 'NAME_UNKNOWN' : 'REGISTRY_ERROR'
}

function hintFor(code: string, exchange: Exchange, retryAfterMs: number | undefined): string {
  switch (code) {
    case 'UNAUTHORIZED':
    case 'DENIED':
      return `log in with: katman login ${exchange.url.host}`
    case 'MANIFEST_UNKNOWN':
    case 'NAME_UNKNOWN':
      return 'check the name, the tag and the spelling'
    case 'BLOB_UNKNOWN':
      return 'the registry lost content it promised; ask its owner or push the image again'
    case 'TOO_MANY_REQUESTS':
      return retryAfterMs === undefined
        ? 'wait, or log in for a higher limit'
        : `wait ${Math.ceil(retryAfterMs / 1000)} s, or log in for a higher limit`
    default:
      return 'try again later, or ask the owner of the registry'
  }
}

/** The problems a body lists, or the reason why it is no error document. */
function parseProblems(bytes: Uint8Array): readonly RegistryProblem[] | string {
  let document: JsonValue
  try {
    document = parseJson(bytes, 'error body', { maxBytes: maxErrorBytes, maxDepth: 32 })
  } catch (error) {
    const reason = error instanceof KatmanError ? error.details['reason'] : undefined
    return (
      goJsonError(Buffer.from(bytes).toString()) ??
      (typeof reason === 'string' ? reason : 'invalid JSON')
    )
  }
  const list = isObject(document) ? document['errors'] : undefined
  const problems: RegistryProblem[] = []
  for (const item of Array.isArray(list) ? list.slice(0, 20) : []) {
    if (!isObject(item)) continue
    const { code, message, detail } = item
    problems.push({
      code: typeof code === 'string' ? shownLine(code) : 'UNKNOWN',
      message: typeof message === 'string' ? shownLine(message) : '',
      detail: detail !== undefined && detail !== null,
    })
  }
  if (problems.length === 0 && isObject(document)) {
    const { details } = document
    if (typeof details === 'string' && details !== '') {
      return [{ code: '', message: shownLine(details), detail: true }]
    }
  }
  return problems
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof JsonNumber)
  )
}

function dockerText(
  response: HttpResponse,
  bytes: Uint8Array,
  parsed: readonly RegistryProblem[] | string,
  subject: RegistrySubject,
): string {
  const { status } = response
  if (subject === 'blob' && status === 404) return 'unknown blob'
  if (status < 400 || status >= 500) {
    return shownText(`received unexpected HTTP status: ${status} ${response.reason}`)
  }
  if (status === 401) {
    const challenges = parseAuthChallenges(response.headers.get('www-authenticate') ?? '')
    const bearer = challenges.find((challenge) => challenge.scheme === 'bearer')
    const error = bearer?.parameters.get('error')
    if (error === 'insufficient_scope') return 'denied: requested access to the resource is denied'
  }
  if (bytes.byteLength === 0) {
    if (status === 401) return 'unauthorized: authentication required'
    if (status === 403) return 'denied'
    if (status === 429) return 'toomanyrequests'
    if (status === 404 && subject === 'manifest') return 'manifest unknown: manifest unknown'
  }
  const body = JSON.stringify(shownText(Buffer.from(bytes).toString()))
  if (typeof parsed === 'string') {
    if (status === 401) return 'unauthorized: authentication required'
    return `error parsing HTTP ${status} response body: ${parsed}: ${body}`
  }
  if (parsed.length === 0) {
    return `error parsing HTTP ${status} response body: no error details found in HTTP response body: ${body}`
  }
  const fallback = status === 429 ? 'TOOMANYREQUESTS' : status === 401 ? 'UNAUTHORIZED' : 'DENIED'
  const lines = parsed.map((problem) => problemText(problem, fallback))
  return lines.length === 1 ? (lines[0] ?? '') : `errors:\n${lines.join('\n')}\n`
}

function problemText(problem: RegistryProblem, fallback: string): string {
  const code = problem.code === '' ? fallback : problem.code
  const known = Object.hasOwn(defaultMessages, code) ? code : 'UNKNOWN'
  const label = known.toLowerCase().replaceAll('_', ' ')
  const standard = defaultMessages[known] ?? ''
  const bare = !problem.detail && (problem.message === '' || problem.message === standard)
  return bare ? label : `${label}: ${problem.message || standard}`
}
