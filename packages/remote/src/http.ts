import type { Bytes } from '@katman/oci'
import type { TlsSettings } from './settings.ts'

/** A body whose length is known before it is sent. `open` is called once for each attempt. */
export interface StreamBody {
  readonly size: number
  readonly open: () => AsyncIterable<Uint8Array>
}

/** One HTTP exchange. Nothing is followed, retried or authorised below this interface. */
export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly url: URL
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | StreamBody | undefined
  readonly tls?: TlsSettings | undefined
  /** Accept certificates nobody vouches for. Default false. */
  readonly skipVerify?: boolean | undefined
  /** Refuse to connect to an address that is not public, also when a name resolves to one. Default false. */
  readonly publicOnly?: boolean | undefined
  /** The server has to check and move what it was sent before it answers. Default false. */
  readonly commits?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

export interface HttpResponse {
  readonly status: number
  /** The reason phrase. */
  readonly reason: string
  /** Lower-case names; repeated ones joined with `, `. */
  readonly headers: ReadonlyMap<string, string>
  /** Read it, or call `discard`. Throws `CONNECTION_LOST` or `TIMEOUT` when it does not arrive whole. */
  readonly body: Bytes
  /** The address that answered; undefined behind a proxy. */
  readonly remoteAddress: string | undefined
  /** Gives the connection up or back without reading on. */
  discard(): void
}

/** What carries requests. Throws KatmanErrors of `network-error.ts`, or the signal's reason. */
export interface HttpTransport extends AsyncDisposable {
  send(request: HttpRequest): Promise<HttpResponse>
}

/** Waits and floors of a connection (all in ms, except bytes). */
export interface HttpLimits {
  /** Name look-up, TCP and TLS together. Default 10 s. */
  readonly connectMs: number
  /** From the request sent to the response head. Default 30 s. */
  readonly headersMs: number
  /** The same for a request that commits much. Default 5 min. */
  readonly commitMs: number
  /** Without a byte, either way. Default 30 s. */
  readonly idleMs: number
  /** A body slower than `floorBytesPerSecond` over this span is given up. Default 60 s. */
  readonly floorSpanMs: number
  /** Default 1024. */
  readonly floorBytesPerSecond: number
}

/** The limits used when none are given. */
export const defaultHttpLimits: HttpLimits = {
  connectMs: 10_000,
  headersMs: 30_000,
  commitMs: 5 * 60_000,
  idleMs: 30_000,
  floorSpanMs: 60_000,
  floorBytesPerSecond: 1024,
}

/** Reads a body of at most `maxBytes`; undefined when there is more (the rest is discarded). */
export async function readLimited(
  response: HttpResponse,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body) {
    size += chunk.byteLength
    if (size > maxBytes) {
      response.discard()
      return undefined
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
