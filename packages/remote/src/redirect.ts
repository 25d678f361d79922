import { KatmanError } from '@katman/oci'
import type { HttpRequest, HttpResponse } from './http.ts'
import { goUrlError } from './network-error.ts'
import { shownUrl } from './shown.ts'

const maxRedirects = 10
const redirects = new Set([301, 302, 303, 307, 308])

/** An answer and where it came from in the end. */
export interface FinalResponse {
  readonly response: HttpResponse
  readonly url: URL
}

/**
 * Sends and follows up to 10 redirects by hand. Credentials are dropped when the origin changes and never come
 * back, https never becomes http, and only requests without an effect are followed to another origin.
 * Throws `REDIRECT_REFUSED`.
 */
export async function sendFollowing(
  send: (request: HttpRequest) => Promise<HttpResponse>,
  request: HttpRequest,
  options: { readonly publicOnly: boolean },
): Promise<FinalResponse> {
  let current = request
  for (let hops = 0; ; hops++) {
    const response = await send(current)
    const location = response.headers.get('location')
    if (!redirects.has(response.status) || location === undefined) {
      return { response, url: current.url }
    }
    response.discard()
    if (hops === maxRedirects) throw refused(request, `more than ${maxRedirects} redirects`)
    current = redirected(current, response.status, location, options.publicOnly)
  }
}

function redirected(
  request: HttpRequest,
  status: number,
  location: string,
  publicOnly: boolean,
): HttpRequest {
  const url = parseLocation(location, request)
  const sameOrigin = url.origin === request.url.origin
  const safe = request.method === 'GET' || request.method === 'HEAD'
  if (!safe) {
    const replayable = request.body === undefined || request.body instanceof Uint8Array
    if (!sameOrigin || (status !== 307 && status !== 308) || !replayable) {
      throw refused(request, `${request.method} is redirected to ${shownUrl(url)}`)
    }
  }
  if (sameOrigin) return { ...request, url }
  const { authorization: _dropped, ...headers } = request.headers ?? {}
  const { tls: _certificates, skipVerify: _trust, ...rest } = request
  // Certificates and trust are settings of one host; another port of it keeps the trust, not the key.
  const sameHost = url.hostname === request.url.hostname
  return {
    ...rest,
    url,
    headers,
    publicOnly,
    ...(sameHost && request.tls?.ca !== undefined ? { tls: { ca: request.tls.ca } } : {}),
    ...(sameHost && request.skipVerify !== undefined ? { skipVerify: request.skipVerify } : {}),
  }
}

/** The URL a server points to, on its way checked: http(s) only, no user, never from https to http. */
export function parseLocation(location: string, request: Pick<HttpRequest, 'method' | 'url'>): URL {
  const url = URL.parse(location, request.url.href)
  if (url === null) throw refused(request, 'the address is malformed')
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw refused(request, `it points to a ${url.protocol} address`)
  }
  if (url.username !== '' || url.password !== '') throw refused(request, 'the address has a user')
  if (request.url.protocol === 'https:' && url.protocol === 'http:') {
    throw refused(request, `it leads from https to http (${shownUrl(url)})`)
  }
  url.hash = ''
  return url
}

function refused(request: Pick<HttpRequest, 'method' | 'url'>, reason: string): KatmanError {
  return new KatmanError(
    'REDIRECT_REFUSED',
    `refused a redirect of ${request.method} ${shownUrl(request.url)}: ${reason}`,
    {
      hint: 'the registry or something before it is misconfigured; ask its owner',
      details: {
        url: shownUrl(request.url),
        reason,
        transient: false,
        dockerMessage: goUrlError(request, `redirect refused: ${reason}`),
      },
    },
  )
}
