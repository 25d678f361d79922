import { isKatmanError, type KatmanError } from '@katman/oci'
import {
  createRemote,
  type Credential,
  defaultSettings,
  type HttpTransport,
  type Remote,
  type RemoteRepository,
  systemClock,
} from '@katman/remote'
import type { Upstream } from './upstream.ts'
import { createUpstreamTransport } from './upstream-transport.ts'

/** The conversation with one upstream, and how it has been doing. */
export interface UpstreamClient extends AsyncDisposable {
  readonly upstream: Upstream
  repository(name: string): RemoteRepository
  /** Why it should not be asked now: it asked for a pause, or failed a moment ago. */
  resting(): Rest | undefined
  /** Runs a question to it; a failure that others would meet, too, makes it rest. */
  ask<T>(question: () => Promise<T>): Promise<T>
}

export interface Rest {
  readonly error: KatmanError
  /** Milliseconds since 1970. */
  readonly until: number
}

export interface UpstreamClientOptions {
  readonly userAgent: string
  readonly now?: () => number
  /** Default: node:http, with the guard. */
  readonly transport?: HttpTransport
}

/** A registry that is down is asked again after this long, in ms. */
const downMs = 5_000
/** A registry that has enough of us and does not say for how long, in ms. */
const limitedMs = 60_000
/** Whatever it asks for: it is asked again after this long, in ms. */
const longestRestMs = 60 * 60_000

/** Opens the client of an upstream. Nothing is sent yet. */
export function createUpstreamClient(
  upstream: Upstream,
  options: UpstreamClientOptions,
): UpstreamClient {
  const now = options.now ?? Date.now
  const repositories = new Map<string, RemoteRepository>()
  const remote = openRemote(upstream, options)
  const { host: registry } = new URL(upstream.url ?? '')
  let rest: Rest | undefined
  return {
    upstream,
    repository(name) {
      let repository = repositories.get(name)
      if (repository === undefined) {
        // They hold little, but names are free.
        if (repositories.size >= 1_000) repositories.clear()
        repository = remote.repository({ registry, repository: name })
        repositories.set(name, repository)
      }
      return repository
    },
    resting() {
      if (rest !== undefined && rest.until <= now()) rest = undefined
      return rest
    },
    async ask(question) {
      try {
        return await question()
      } catch (error) {
        const ms = restAfter(error)
        if (ms !== undefined && isKatmanError(error)) {
          rest = { error, until: now() + Math.min(ms, longestRestMs) }
        }
        throw error
      }
    },
    [Symbol.asyncDispose]: () => remote[Symbol.asyncDispose](),
  }
}

function openRemote(upstream: Upstream, options: UpstreamClientOptions): Remote {
  const { username, password, trustedRealms } = upstream
  const url = new URL(upstream.url ?? '')
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
    // One remote for each upstream, so a credential cannot be asked for by another.
    credentials: { get: async (host) => (host === url.host ? credential : undefined) },
    userAgent: options.userAgent,
    clock: { ...systemClock, now: options.now ?? systemClock.now },
    patience: { attempts: 2, longestWaitMs: 1_000 },
    transport: createUpstreamTransport(upstream, options.transport),
  })
}

/** How long it is left alone after this error, in ms; undefined for what says nothing about other questions. */
function restAfter(error: unknown): number | undefined {
  if (!isKatmanError(error)) return undefined
  const { retryAfterMs, status } = error.details
  const asked = typeof retryAfterMs === 'number' ? retryAfterMs : undefined
  if (error.code === 'TOO_MANY_REQUESTS') return asked ?? limitedMs
  if (typeof status === 'number' && status >= 500) return asked ?? downMs
  return isUnreachable(error) ? downMs : undefined
}

const unreachable = new Set([
  'CONNECTION_REFUSED',
  'CONNECTION_LOST',
  'HOST_NOT_FOUND',
  'TIMEOUT',
  'TLS_ERROR',
  'NETWORK_UNREACHABLE',
])

/** True for an error of the way to the registry. */
export function isUnreachable(error: KatmanError): boolean {
  return unreachable.has(error.code)
}
