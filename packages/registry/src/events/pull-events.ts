import type { Pull } from '../change.ts'
import type { Database } from '../database/database.ts'
import { addEvent } from './outbox.ts'

export interface PullEvents {
  record(pull: Pull): void
  /** Writes the rest. */
  close(): Promise<void>
}

/** More than so many in a second are not told. */
const maxWaiting = 1000

/**
 * Tells some of the pulls as events: `sample` from 0 up to 1 is how many of them. They are written together every second and may
 * be lost in a crash.
 */
export function createPullEvents(
  database: Database,
  { sample, random = Math.random }: { readonly sample: number; readonly random?: () => number },
): PullEvents {
  let waiting: Pull[] = []
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<void> = Promise.resolve()

  async function write(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    const taken = waiting
    waiting = []
    if (taken.length === 0) return
    await database.transaction(
      async (transaction) => {
        for (const pull of taken) {
          const { digest, tag = null, mediaType } = pull
          await addEvent(transaction, pull, {
            type: 'dev.katman.registry.image.pulled',
            reference: tag === null ? `@${digest}` : `:${tag}`,
            data: { digest, tag, mediaType },
          })
        }
      },
      { isDurable: false },
    )
  }

  return {
    record(pull) {
      if (pull.method !== 'GET' || waiting.length >= maxWaiting || random() >= sample) return
      waiting.push(pull)
      timer ??= setTimeout(() => {
        // Nobody waits for these: a database that is away loses them.
        writing = write().catch(() => undefined)
      }, 1000).unref()
    },
    async close() {
      await writing
      await write().catch(() => undefined)
    },
  }
}
