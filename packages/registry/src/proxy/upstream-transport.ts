import { createHttpTransport, type HttpLimits, type HttpTransport } from '@katman/remote'
import type { Upstream } from './upstream.ts'

/** Waits towards an upstream: a client waits for us meanwhile. */
const limits: Partial<HttpLimits> = { connectMs: 5_000, headersMs: 20_000, idleMs: 20_000 }

/**
 * Carries requests to one upstream. Only its own host and port may be in a private network, and only when the
 * configuration says so: what it redirects to, and what it names for tokens, must be public (SSRF).
 */
export function createUpstreamTransport(
  upstream: Upstream,
  inner: HttpTransport = createHttpTransport({ limits }),
): HttpTransport {
  const own = new URL(upstream.url ?? '').host
  const trusted = new Set(upstream.isPrivate ? [own, ...upstream.trustedRealms] : [])
  return {
    send: (request) => inner.send({ ...request, publicOnly: !trusted.has(request.url.host) }),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  }
}
