import type { HttpLimits, HttpTransport } from '@katman/remote'
import { createGuardedTransport } from '../outbound/guarded-transport.ts'
import type { Peer } from './upstream.ts'

/**
 * Carries requests to one peer. Only its own host and port may be in a private network, and only when the
 * configuration says so: what it redirects to, and what it names for tokens, must be public (SSRF).
 */
export function createPeerTransport(peer: Peer, limits?: Partial<HttpLimits>): HttpTransport {
  const own = new URL(peer.url ?? '')
  const trusted = new Set(peer.isPrivate ? [own.host, ...peer.trustedRealms] : [])
  const allow = [...trusted].map((host) =>
    new URL(`http://${host}`).hostname.replace(/^\[|\]$/g, ''),
  )
  const inner = createGuardedTransport({ allow, limits })
  return {
    send: (request) => inner.send({ ...request, publicOnly: !trusted.has(request.url.host) }),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  }
}
