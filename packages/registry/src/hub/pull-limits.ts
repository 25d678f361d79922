import type { Gate, Visitor } from '../access.ts'
import type { RegistryRequest, RegistryResponse } from '../http.ts'
import { Refusal } from '../refusal.ts'
import { clientNetwork } from './client-network.ts'
import type { PullQuota } from './pull-quota.ts'

/** How many images may be pulled in a span of time. */
export interface PullLimitOptions {
  /** By an address that shows no account. Default: as many as it likes. */
  readonly anonymous?: number
  /** By an account. Default: as many as it likes. */
  readonly account?: number
  /** Default 6 hours. */
  readonly windowSeconds?: number
}

/** Stands before and behind every request. */
export interface PullLimits {
  /** Refuses pulls beyond the limit, after the gate has let them in. */
  guardGate(gate: Gate): Gate
  /** Tells clients how far they are. */
  guardAnswers(handle: Handle): Handle
}

type Handle = (request: RegistryRequest) => Promise<RegistryResponse>

interface Standing {
  readonly subject: string
  readonly source: string
  readonly limit: number
  readonly remaining: number
  readonly isCounted: boolean
}

const manifestPath = /^\/v2\/[^?]+\/manifests\/[^/]+$/

/**
 * Docker Hub's limits: a pull is a `GET` of a manifest, `HEAD` is free and tells how many are left, as
 * `ratelimit-limit: 100;w=21600` and `ratelimit-remaining`.
 */
export function createPullLimits(options: PullLimitOptions, quota: PullQuota): PullLimits {
  // A request of a mirror comes back under another name, with the same notes.
  const standings = new WeakMap<object, Standing>()
  const { windowSeconds } = quota

  async function count(request: RegistryRequest, visitor: Visitor): Promise<void> {
    const { account } = visitor
    const limit = account === undefined ? options.anonymous : options.account
    if (limit === undefined || standings.has(keyOf(request))) return
    const source = account ?? clientNetwork(request.client)
    const subject = account === undefined ? `address ${source}` : `account ${account}`
    const isCounted = request.method === 'GET'
    const used = await quota.use(subject, isCounted ? 1 : 0)
    const standing = { subject, source, limit, remaining: Math.max(0, limit - used), isCounted }
    if (isCounted && used > limit) {
      // What was refused was not pulled.
      await quota.use(subject, -1)
      throw new Refusal(
        429,
        'TOOMANYREQUESTS',
        'You have reached your pull rate limit. You may increase the limit by authenticating.',
        { headers: { ...headers(standing), 'retry-after': String(quota.secondsLeft()) } },
      )
    }
    standings.set(keyOf(request), standing)
  }

  function headers({ limit, remaining, source }: Standing): Readonly<Record<string, string>> {
    return {
      'ratelimit-limit': `${limit};w=${windowSeconds}`,
      'ratelimit-remaining': `${remaining};w=${windowSeconds}`,
      'docker-ratelimit-source': source,
    }
  }

  return {
    guardGate: (gate) => ({
      ...gate,
      async admit(request, need) {
        const visitor = await gate.admit(request, need)
        const isRead = request.method === 'GET' || request.method === 'HEAD'
        if (isRead && manifestPath.test(request.path)) await count(request, visitor)
        return visitor
      },
    }),
    guardAnswers: (handle) => async (request) => {
      const response = await handle(request)
      const standing = standings.get(keyOf(request))
      if (standing === undefined) return response
      if (standing.isCounted && response.status >= 400) await quota.use(standing.subject, -1)
      return { ...response, headers: { ...response.headers, ...headers(standing) } }
    },
  }
}

function keyOf(request: RegistryRequest): object {
  return request.notes ?? request
}
