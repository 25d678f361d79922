import type { Bytes } from '@katman/oci'

/** A request as the registry sees it, whatever listens. */
export interface RegistryRequest {
  readonly method: string
  /** The path as it was sent, not decoded. */
  readonly path: string
  readonly query: URLSearchParams
  /** A header by its lower-case name. */
  header(name: string): string | undefined
  readonly body: Bytes
}

export interface RegistryResponse {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** A stream has its `content-length` among the headers. */
  readonly body?: Uint8Array | Bytes
}

/** The value of a header that is a whole number of bytes; undefined for anything else. */
export function readLength(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

export function json(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): RegistryResponse {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: Buffer.from(JSON.stringify(value)),
  }
}
