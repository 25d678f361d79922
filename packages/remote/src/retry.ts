import { type Digest, isDigest, isKatmanError, KatmanError } from '@katman/oci'
import type { Clock } from './clock.ts'

/** A wait before another try. */
export interface RetryEvent {
  readonly type: 'retry'
  /** How long until the next try, in ms. */
  readonly afterMs: number
  /** 1 for the first retry. */
  readonly attempt: number
  readonly error: KatmanError
  /** What is tried: `upload of sha256:…`, `blob sha256:…`, `tag list`. */
  readonly what: string
  /** The content it is about, if it is about one. */
  readonly digest: Digest | undefined
}

export interface RetryOptions extends Patience {
  readonly clock: Clock
  readonly what: string
  readonly signal?: AbortSignal | undefined
  readonly onEvent?: ((event: RetryEvent) => void) | undefined
}

/** How long one job is worth it. */
export interface Patience {
  /** Tries in a row without a new byte. Default 6. */
  readonly attempts?: number
  /** A registry that asks for more time than this is not waited for, in ms. Default 5 min. */
  readonly longestWaitMs?: number
}

const baseMs = 500
const capMs = 30_000
const budgetMs = 10 * 60_000
const defaultLongestWaitMs = 5 * 60_000
const transientStatus = new Set([408, 429, 500, 502, 503, 504, 522])

/** Counts the tries of one job. */
export interface Retry {
  /** A new byte came: the count and the budget begin anew. */
  progress(): void
  /** Waits until the next try is due, or throws the error when there is none. `transient` says that another can help. */
  afterFailure(error: unknown, options?: { readonly transient?: boolean }): Promise<void>
}

/** Back-off with full jitter: 0.5 s doubling to 30 s, `Retry-After` up to 5 min, 10 min in all without progress. */
export function createRetry(options: RetryOptions): Retry {
  const { clock } = options
  const { attempts = 6, longestWaitMs = defaultLongestWaitMs } = options
  let failures = 0
  let since = clock.now()
  return {
    progress() {
      failures = 0
      since = clock.now()
    },
    async afterFailure(error, { transient = false } = {}) {
      options.signal?.throwIfAborted()
      if (!isKatmanError(error) || !(transient || isTransient(error))) throw error
      failures++
      if (failures >= attempts) throw error
      const asked = error.details['retryAfterMs']
      if (typeof asked === 'number' && asked > longestWaitMs) throw error
      const backOff = Math.min(capMs, baseMs * 2 ** (failures - 1)) * clock.random()
      const afterMs = Math.max(Math.round(backOff), typeof asked === 'number' ? asked : 0)
      if (clock.now() + afterMs - since > budgetMs) throw error
      const { what } = options
      const last = what.split(' ').at(-1) ?? ''
      const digest = isDigest(last) ? last : undefined
      options.onEvent?.({ type: 'retry', afterMs, attempt: failures, error, what, digest })
      await clock.sleep(afterMs, options.signal)
    },
  }
}

/** Runs the job until it succeeds or no further try makes sense. */
export async function retrying<T>(options: RetryOptions, job: () => Promise<T>): Promise<T> {
  const retry = createRetry(options)
  for (;;) {
    try {
      return await job()
    } catch (error) {
      await retry.afterFailure(error)
    }
  }
}

/** True when the same request may succeed a moment later. */
export function isTransient(error: unknown): error is KatmanError {
  if (!isKatmanError(error)) return false
  const { transient, status } = error.details
  return transient === true || (typeof status === 'number' && transientStatus.has(status))
}

/** `Retry-After` in ms from now: seconds or an HTTP date. Undefined when it is neither. */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined
  const text = value.trim()
  if (/^[0-9]{1,15}$/.test(text)) return Number(text) * 1000
  if (!/^[A-Za-z]{3,9},? /.test(text) || text.length > 64) return undefined
  const date = Date.parse(text)
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs)
}
