import type { Foundation, Part } from '../part.ts'
import type { JobKind } from '../jobs/job.ts'
import type { Database } from '../database/database.ts'
import { createGuardedTransport } from '../outbound/guarded-transport.ts'
import { createDeliveryJob } from './deliver.ts'
import { dispatchEvents } from './dispatch.ts'
import { createEventFeed } from './event-feed.ts'
import { createHookJob, queueHooks } from './image-hook.ts'
import { writeOutbox } from './outbox.ts'
import { createPullEvents } from './pull-events.ts'
import { createWebhookFace } from './webhook-face.ts'

/** How events are told. */
export interface EventOptions {
  /** How many of the pulls are events, from 0 up to 1. Default 0. */
  readonly pullSample?: number
}

/** New events are looked for this often. */
const dispatchMs = 250
const dayMs = 24 * 3600 * 1000

/** Events: an outbox of what changed, webhooks and a feed that tell it. */
export function openEvents({ database, core, options, now, warn, imageHooks }: Foundation): Part {
  const source = options.publicUrl ?? 'urn:katman:registry'
  const transport = createGuardedTransport({
    allow: [...(options.outbound?.allow ?? []), ...(options.outbound?.webhooks ?? [])],
  })
  const feed = createEventFeed({ database, source, now })
  const sample = options.events?.pullSample ?? 0
  const pulls = sample > 0 ? createPullEvents(database, { sample }) : undefined
  let timer: NodeJS.Timeout | undefined
  let dispatching: Promise<void> = Promise.resolve()
  let isClosed = false

  async function dispatch(): Promise<void> {
    try {
      while (!isClosed && (await dispatchEvents(database, { source, now: now() })) > 0);
    } catch (error) {
      warn(`events wait to be told: ${error instanceof Error ? error.message : String(error)}`)
    }
    if (isClosed) return
    timer = setTimeout(() => {
      dispatching = dispatch()
    }, dispatchMs).unref()
  }

  return {
    listeners: imageHooks.length === 0 ? [writeOutbox] : [writeOutbox, queueHooks(imageHooks)],
    faces: [feed.face, createWebhookFace({ database, transport, source, now })],
    jobs: [
      createDeliveryJob(database, transport),
      forgetOldEvents(database),
      ...imageHooks.map((hook) => createHookJob(hook, core)),
    ],
    ...(pulls === undefined ? {} : { onPull: (pull) => pulls.record(pull) }),
    async start() {
      dispatching = dispatch()
    },
    endStreams() {
      feed.close()
    },
    async close() {
      isClosed = true
      clearTimeout(timer)
      feed.close()
      await dispatching
      await pulls?.close()
      await transport[Symbol.asyncDispose]()
    },
  }
}

/** Events are kept for a week, messages for a month. */
function forgetOldEvents(database: Database): JobKind {
  return {
    kind: 'events.forget',
    everyMs: 3600 * 1000,
    async run(_payload, context) {
      const now = context.now()
      await database.run('DELETE FROM events WHERE at < ? AND seq IS NOT NULL', [now - 7 * dayMs])
      await database.run('DELETE FROM webhook_deliveries WHERE created_at < ?', [now - 30 * dayMs])
    },
  }
}
