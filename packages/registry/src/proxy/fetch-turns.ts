import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Database } from '../database/database.ts'
import { releaseFetch, takeFetch } from './cache-records.ts'

/** Whose turn it is to fetch something, among all threads and replicas on one database. */
export interface FetchTurns {
  /**
   * Waits while another replica fetches it: until `isThere`, or until that one gives up or takes too long. Undefined when it is
   * there.
   */
  take(what: FetchKey, isThere: () => Promise<boolean>): Promise<Turn | undefined>
}

interface FetchKey {
  readonly repository: string
  /** A digest, or a tag. */
  readonly reference: string
}

/** Held until `end`, or until the process dies. */
interface Turn {
  end(): Promise<void>
}

/** A fetch that did not say for so long that it goes on is taken for dead, in ms. */
const leaseMs = 6_000
/** How often another replica's fetch is looked at, in ms. */
const lookMs = 50
/** After so long one fetches on one's own, in ms: another replica's fetch cannot be read from. */
const patienceMs = 20_000

export function createFetchTurns(database: Database, now: () => number): FetchTurns {
  const holder = randomUUID()

  return {
    async take(key, isThere) {
      const renew = (): Promise<boolean> =>
        takeFetch(database, { ...key, holder, now: now(), until: now() + leaseMs })
      const giveUpAt = now() + patienceMs
      let isOurs = await renew()
      while (!isOurs && now() < giveUpAt) {
        await delay(lookMs)
        if (await isThere()) return undefined
        isOurs = await renew()
      }
      const end = async (): Promise<void> => {
        if (isOurs) await releaseFetch(database, { ...key, holder }).catch(() => {})
      }
      // It may have come between the question that brought us here and our turn.
      if (await isThere()) {
        await end()
        return undefined
      }
      const beat = setInterval(() => {
        if (isOurs) renew().catch(() => {})
      }, leaseMs / 3)
      beat.unref()
      return {
        async end() {
          clearInterval(beat)
          await end()
        },
      }
    },
  }
}
