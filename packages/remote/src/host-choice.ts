import { isKatmanError } from '@katman/oci'
import type { CallOptions } from '@katman/transfer'
import type { Clock } from './clock.ts'
import type { Candidate } from './mirrors.ts'
import { type Patience, type RetryEvent, retrying } from './retry.ts'
import type { Session } from './session.ts'

/** A host to ask with its conversation. */
export interface RepositoryHost {
  readonly candidate: Candidate
  readonly session: Session
}

export interface HostChoiceOptions {
  /** Asked first, in this order. */
  readonly mirrors: readonly RepositoryHost[]
  /** The registry itself: asked last, and for everything that writes. */
  readonly origin: RepositoryHost
  readonly clock: Clock
  readonly onEvent: ((event: RetryEvent) => void) | undefined
  readonly patience?: Patience | undefined
}

export interface AskOptions extends CallOptions {
  readonly capability: 'pull' | 'resolve'
  /** What is asked for, in retry events: `blob sha256:…`. */
  readonly what: string
  /** Position in {@link allHosts} of the host to begin with; those before it come last. Default 0. */
  readonly first?: number
}

/** The hosts in the order they are asked. */
export function allHosts(hosts: HostChoiceOptions): readonly RepositoryHost[] {
  return [...hosts.mirrors, hosts.origin]
}

/**
 * Asks the hosts in order until one answers: a mirror gets one try and none while its circuit is broken; the last
 * host gets every try and its error is the one told.
 */
export async function askHosts<T>(
  hosts: HostChoiceOptions,
  options: AskOptions,
  job: (host: RepositoryHost) => Promise<T>,
): Promise<T> {
  const { capability, signal, first = 0, what } = options
  const all = allHosts(hosts)
  const order = [...all.slice(first), ...all.slice(0, first)].filter(
    ({ candidate, session }) =>
      candidate.capabilities[capability] && (!candidate.isMirror || session.usable()),
  )
  const last = order.pop() ?? hosts.origin
  for (const host of order) {
    try {
      return await job(host)
    } catch (error) {
      signal?.throwIfAborted()
      if (!isKatmanError(error)) throw error
    }
  }
  return retrying(
    { ...hosts.patience, clock: hosts.clock, what, signal, onEvent: hosts.onEvent },
    () => job(last),
  )
}
