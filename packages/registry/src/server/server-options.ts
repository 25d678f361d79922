import type { RegistryOptions } from '../registry-options.ts'

/** An address to listen on. */
export interface ListenAddress {
  /** A name or an IP address without brackets. */
  readonly host: string
  /** 0: a free one. */
  readonly port: number
}

/** How a registry is served. Plain data: the threads of a server get it as it is. */
export interface ServerOptions {
  readonly registry: RegistryOptions
  readonly listen: ListenAddress
  /** Files in PEM. Default: plain HTTP. */
  readonly tls?: TlsFiles
  /** Where `/metrics`, `/healthz` and `/readyz` are answered to everybody, by plain HTTP. Default: on `listen`, `/metrics` only to this machine. */
  readonly metricsListen?: ListenAddress
  /** How many threads answer. Default: as many as there are cores, at most 4. */
  readonly threads?: number
  /** Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` count: IP addresses and networks (`10.0.0.0/8`). Default: none. */
  readonly trustedProxies?: readonly string[]
  readonly limits?: Partial<ServerLimits>
  /** How long requests may go on after the server was told to stop. Default 60,000 ms. */
  readonly stopTimeoutMs?: number
  /** How long a server that was told to stop still takes new requests while `/readyz` says no, for a load balancer to notice. Default 0 ms. */
  readonly stopDelayMs?: number
  /** The version of the program, for `/metrics`. */
  readonly version?: string
}

export interface TlsFiles {
  readonly certificate: string
  readonly key: string
}

export interface ServerLimits {
  /** Connections at the same time, of all threads together. */
  readonly maxConnections: number
  /** A client that neither sends nor takes a byte for this long, in the middle of a request, is gone. */
  readonly idleMs: number
  /** How long the head of a request may take. */
  readonly headMs: number
  /** How long a connection may wait for its next request. */
  readonly keepAliveMs: number
  /** A body that moves slower than this over a minute is cut. */
  readonly minBytesPerSecond: number
}

export const defaultLimits: ServerLimits = {
  maxConnections: 10_000,
  idleMs: 60_000,
  headMs: 15_000,
  keepAliveMs: 75_000,
  minBytesPerSecond: 64,
}
