import { isIPv6 } from 'node:net'
import { clientNetwork } from '../hub/client-network.ts'

const windowMs = 5 * 60_000
const usualMost = 20
const maxClients = 10_000

/** Counts attempts by client, or by what else is said: after so many in five minutes (20, or what is said) it waits until they are over. */
export class FailedLogins {
  readonly #most: number
  readonly #clients = new Map<string, { readonly since: number; count: number }>()

  constructor(most = usualMost) {
    this.#most = most
  }

  /** How long the client has to wait; undefined when it may try. */
  secondsToWait(client: string | undefined, now: number): number | undefined {
    const found = this.#clients.get(keyOf(client))
    if (found === undefined || found.count < this.#most) return undefined
    const left = found.since + windowMs - now
    return left > 0 ? left / 1000 : undefined
  }

  add(client: string | undefined, now: number): void {
    const key = keyOf(client)
    const found = this.#clients.get(key)
    if (found !== undefined && found.since + windowMs > now) {
      found.count += 1
      return
    }
    this.#clients.delete(key)
    const [oldest] = this.#clients.keys()
    if (this.#clients.size >= maxClients && oldest !== undefined) this.#clients.delete(oldest)
    this.#clients.set(key, { since: now, count: 1 })
  }
}

/** One customer has a whole /64 of IPv6. */
function keyOf(client = ''): string {
  return isIPv6(client) ? clientNetwork(client) : client
}
