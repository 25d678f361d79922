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
  /** The address of the client, without its port; undefined when nobody knows. */
  readonly client?: string | undefined
  /** Whether the client speaks TLS, to the listener or to a trusted proxy. */
  readonly isSecure?: boolean
  /** What the log tells about the request beside what it shows itself. */
  readonly notes?: RequestNotes
}

export interface RequestNotes {
  /** The account that was let in. */
  account?: string | undefined
}

export interface RegistryResponse {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** A stream has its `content-length` among the headers. */
  readonly body?: Uint8Array | Bytes
  /** What went wrong in the registry itself: for its log, never sent. */
  readonly cause?: unknown
}

/**
 * Bytes that a server sends without a new buffer for each chunk: the buffer is used again as soon as the promise of
 * `take` resolves.
 */
export interface SendableBytes extends Bytes {
  sendTo(take: (chunk: Uint8Array) => Promise<void>): Promise<void>
}

export function isSendable(bytes: Bytes): bytes is SendableBytes {
  return 'sendTo' in bytes
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
