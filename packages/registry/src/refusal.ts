import { isKatmanError } from '@katman/oci'
import { json, type RegistryResponse } from './http.ts'

interface RefusalOptions {
  readonly detail?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** What a handler throws to answer with an error document (distribution-spec, "Error Codes"). */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: number
  readonly code: string
  readonly options: RefusalOptions

  constructor(status: number, code: string, message: string, options: RefusalOptions = {}) {
    super(message)
    this.status = status
    this.code = code
    this.options = options
  }
}

const digestCodes = ['DIGEST_INVALID', 'DIGEST_UNSUPPORTED']
const manifestCodes = ['MANIFEST_INVALID', 'MANIFEST_UNSUPPORTED', 'JSON_INVALID']

/** The answer for what a handler threw. Anything unforeseen says nothing about the inside. */
export function refusalResponse(error: unknown): RegistryResponse {
  if (error instanceof Refusal) {
    const { detail, headers } = error.options
    return document(error.status, error.code, error.message, detail, headers)
  }
  if (isKatmanError(error)) {
    const { code, message } = error
    // What parsing a digest or a manifest says about the client's text.
    if (digestCodes.includes(code)) return document(400, 'DIGEST_INVALID', message)
    if (manifestCodes.includes(code)) return document(400, 'MANIFEST_INVALID', message)
    if (code === 'DATABASE_UNAVAILABLE' || code === 'STORAGE_UNAVAILABLE') {
      const headers = { 'retry-after': '2' }
      const response = document(503, 'UNAVAILABLE', 'the registry is not ready', {}, headers)
      return { ...response, cause: error }
    }
  }
  const response = document(500, 'UNKNOWN', 'the registry failed to handle the request')
  return { ...response, cause: error }
}

function document(
  status: number,
  code: string,
  message: string,
  detail: unknown = {},
  headers: Readonly<Record<string, string>> = {},
): RegistryResponse {
  return json(status, { errors: [{ code, message, detail }] }, headers)
}
