import type { HttpLimits, HttpTransport } from '@katman/remote'
import { createGuardedTransport } from '../outbound/guarded-transport.ts'
import type { Upstream } from './upstream.ts'

/** Waits towards an upstream: a client waits for us meanwhile. */
const limits: Partial<HttpLimits> = { connectMs: 5_000, headersMs: 20_000, idleMs: 20_000 }

/**
 * Carries requests to one upstream. Only its own host and port may be in a private network, and only when the
 * configuration says so: what it redirects to, and what it names for tokens, must be public (SSRF).
 */
export function createUpstreamTransport(upstream: Upstream): HttpTransport {
  const own = new URL(upstream.url ?? '')
  const trusted = new Set(upstream.isPrivate ? [own.host, ...upstream.trustedRealms] : [])
  const allow = [...trusted].map((host) =>
    new URL(`http://${host}`).hostname.replace(/^\[|\]$/g, ''),
  )
  const inner = createGuardedTransport({ allow, limits })
  return {
    send: (request) => inner.send({ ...request, publicOnly: !trusted.has(request.url.host) }),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  }
}
