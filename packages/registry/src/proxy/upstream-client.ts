import { isKatmanError, KatmanError } from '@katman/oci'
import type { RemoteRepository } from '@katman/remote'
import { openPeer } from './peer.ts'
import { isMissing } from './is-missing.ts'
import type { Upstream } from './upstream.ts'

/** The conversation with one upstream, and how it has been doing. */
export interface UpstreamClient extends AsyncDisposable {
  readonly upstream: Upstream
  repository(name: string): RemoteRepository
  /** Why it should not be asked now: it asked for a pause, or failed a moment ago. */
  resting(): Rest | undefined
  /**
   * Runs a question to it; a failure that others would meet, too, makes it rest. Not answered within `ms` (default: the waits
   * of the transport) is `TIMEOUT`.
   */
  ask<T>(question: (signal?: AbortSignal) => Promise<T>, ms?: number): Promise<T>
}

export interface Rest {
  readonly error: KatmanError
  /** Milliseconds since 1970. */
  readonly until: number
}

export interface UpstreamClientOptions {
  readonly userAgent: string
  readonly now?: () => number
  /** Told why it rests, and what it was refused: one line. */
  readonly warn?: (line: string) => void
}

/** Waits towards an upstream: a client waits for us meanwhile. */
const limits = { connectMs: 5_000, headersMs: 20_000, idleMs: 20_000 }
const patience = { attempts: 2, longestWaitMs: 1_000 }
/** A registry that is down is asked again after this long, in ms. */
const downMs = 5_000
/** A registry that has enough of us and does not say for how long, in ms. */
const limitedMs = 60_000
const complainMs = 60_000
/** Whatever it asks for: it is asked again after this long, in ms. */
const longestRestMs = 60 * 60_000

/** Opens the client of an upstream. Nothing is sent yet. */
export function createUpstreamClient(
  upstream: Upstream,
  options: UpstreamClientOptions,
): UpstreamClient {
  const now = options.now ?? Date.now
  const repositories = new Map<string, RemoteRepository>()
  const remote = openPeer(upstream, { userAgent: options.userAgent, now, limits, patience })
  const { host: registry } = new URL(upstream.url ?? '')
  let rest: Rest | undefined
  let complainedAt = -Infinity

  /** Once a minute: what is wrong with an upstream is wrong for every client. */
  function complain({ code, message }: KatmanError): void {
    if (now() - complainedAt < complainMs) return
    complainedAt = now()
    options.warn?.(`upstream ${upstream.registry}: ${code}: ${message}`)
  }

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
    async ask(question, ms) {
      try {
        return await (ms === undefined ? question() : inTime(question, ms, upstream.registry))
      } catch (error) {
        const restMs = restAfter(error)
        if (restMs !== undefined && isKatmanError(error)) {
          rest = { error, until: now() + Math.min(restMs, longestRestMs) }
        }
        if (isKatmanError(error) && !isMissing(error)) complain(error)
        throw error
      }
    },
    [Symbol.asyncDispose]: () => remote[Symbol.asyncDispose](),
  }
}

async function inTime<T>(
  question: (signal: AbortSignal) => Promise<T>,
  ms: number,
  registry: string,
): Promise<T> {
  const signal = AbortSignal.timeout(ms)
  try {
    return await question(signal)
  } catch (error) {
    if (!signal.aborted) throw error
    throw new KatmanError('TIMEOUT', `${registry} did not answer in ${ms} ms`, { cause: error })
  }
}

/** How long it is left alone after this error, in ms; undefined for what says nothing about other questions. */
function restAfter(error: unknown): number | undefined {
  if (!isKatmanError(error)) return undefined
  const { retryAfterMs, status } = error.details
  const asked = typeof retryAfterMs === 'number' ? retryAfterMs : undefined
  if (error.code === 'TOO_MANY_REQUESTS') return asked ?? limitedMs
  if (typeof status === 'number' && status >= 500) return asked ?? downMs
  return unreachable.has(error.code) ? downMs : undefined
}

const unreachable = new Set([
  'CONNECTION_REFUSED',
  'CONNECTION_LOST',
  'HOST_NOT_FOUND',
  'TIMEOUT',
  'TLS_ERROR',
])
