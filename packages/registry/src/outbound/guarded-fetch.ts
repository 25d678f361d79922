import { KatmanError } from '@katman/oci'
import { type HttpRequest, type HttpTransport, readLimited, sendFollowing } from '@katman/remote'

export interface GuardedRequest {
  /** `http` or `https`, without a user. */
  readonly url: URL
  /** Default GET. */
  readonly method?: HttpRequest['method']
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  /** For the whole exchange. Default 10 s. */
  readonly timeoutMs?: number
  /** A longer answer is an error, or cut with `cut`. Default 1 MiB. */
  readonly maxBytes?: number
  /** Whether of a longer answer the beginning is enough. Default false. */
  readonly cut?: boolean
  /**
   * Whether redirects are followed: never from https to http, `authorization` is dropped at another origin and only GET and HEAD go
   * to one. Default false: a redirect is an answer like any other.
   */
  readonly followRedirects?: boolean
  readonly signal?: AbortSignal
}

export interface GuardedResponse {
  readonly status: number
  /** Lower-case names; repeated ones joined with `, `. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: Uint8Array
}

/**
 * One exchange with a server that somebody else named, bounded in time and size, over `createGuardedTransport`.
 *
 * @throws KatmanError `ADDRESS_REFUSED`, `RESPONSE_INVALID` when the answer is too long, `TIMEOUT`, and those of the transport.
 */
export async function guardedFetch(
  transport: HttpTransport,
  request: GuardedRequest,
): Promise<GuardedResponse> {
  const { url, method = 'GET', headers, body, timeoutMs = 10_000, maxBytes = 1024 * 1024 } = request
  checkAddress(url)
  const deadline = AbortSignal.timeout(timeoutMs)
  const outgoing: HttpRequest = {
    method,
    url,
    signal: request.signal === undefined ? deadline : AbortSignal.any([request.signal, deadline]),
    ...(headers === undefined ? {} : { headers }),
    ...(body === undefined ? {} : { body }),
  }
  try {
    const response =
      request.followRedirects === true
        ? (await sendFollowing((next) => transport.send(next), outgoing, { publicOnly: false }))
            .response
        : await transport.send(outgoing)
    const read =
      request.cut === true
        ? await readBeginning(response.body, maxBytes)
        : await readLimited(response, maxBytes)
    if (read === undefined) {
      throw new KatmanError(
        'RESPONSE_INVALID',
        `${url.host} answered with more than ${maxBytes} bytes`,
        { hint: 'check the address' },
      )
    }
    return { status: response.status, headers: response.headers, body: read }
  } catch (error) {
    if (!deadline.aborted || request.signal?.aborted === true) throw error
    throw new KatmanError('TIMEOUT', `${url.host}: no whole answer in ${timeoutMs} ms`, {
      hint: 'the server is too slow or stuck; try again',
      cause: error,
    })
  }
}

/** Leaving the loop ends the connection. */
async function readBeginning(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array> {
  const kept: Uint8Array[] = []
  let size = 0
  for await (const chunk of chunks) {
    kept.push(chunk.subarray(0, maxBytes - size))
    size += chunk.byteLength
    if (size >= maxBytes) break
  }
  return Buffer.concat(kept)
}

function checkAddress(url: URL): void {
  const isWeb = url.protocol === 'https:' || url.protocol === 'http:'
  if (isWeb && url.username === '' && url.password === '') return
  throw new KatmanError('ADDRESS_REFUSED', `an address has to be http(s) and without a user`, {
    hint: 'check the address',
  })
}
