import {
  createRemote,
  type Credential,
  defaultSettings,
  type HttpLimits,
  type Patience,
  type Remote,
  systemClock,
} from '@katman/remote'
import { createPeerTransport } from './peer-transport.ts'
import type { Peer } from './upstream.ts'

export interface OpenPeerOptions {
  readonly userAgent: string
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly limits?: Partial<HttpLimits>
  readonly patience?: Patience
}

/** Opens the client of one registry, which knows no other. */
export function openPeer(peer: Peer, options: OpenPeerOptions): Remote {
  const { limits, now, patience, userAgent } = options
  const { password, trustedRealms, username } = peer
  const url = new URL(peer.url ?? '')
  const credential: Credential | undefined =
    username === undefined || password === undefined
      ? undefined
      : { kind: 'basic', username, password }
  return createRemote({
    settings: {
      ...defaultSettings,
      insecureRegistries: url.protocol === 'http:' ? [url.host] : [],
      rules: [
        {
          prefix: url.host,
          mirrors: [],
          origin: { host: url.host, scheme: url.protocol === 'http:' ? 'http' : 'https' },
        },
      ],
      trustedRealms: new Map([[url.host, trustedRealms]]),
    },
    // One client for each registry, so a credential cannot be asked for by another.
    credentials: { get: async (host) => (host === url.host ? credential : undefined) },
    userAgent,
    clock: { ...systemClock, now },
    ...(patience === undefined ? {} : { patience }),
    transport: createPeerTransport(peer, limits),
  })
}
