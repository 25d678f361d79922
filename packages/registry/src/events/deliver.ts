import type { HttpTransport } from '@katman/remote'
import { isKatmanError } from '@katman/oci'
import type { Database } from '../database/database.ts'
import type { JobKind } from '../jobs/job.ts'
import { guardedFetch } from '../outbound/guarded-fetch.ts'
import { deliverKind } from './dispatch.ts'
import { signWebhook } from './sign-webhook.ts'
import {
  disableWebhook,
  getWebhook,
  noteFailure,
  noteSuccess,
  type Webhook,
} from './webhook-store.ts'

const seconds = [5, 30, 120, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600]
/** The last attempt is a day after the first. */
const maxAttempts = seconds.length + 1
/** So many messages in a row that nobody took end a webhook. */
const maxFailures = 20
const timeoutMs = 10_000
const maxAnswerBytes = 4096

/** Sends what is queued for webhooks; what is not taken is sent again, later and later, for a day. */
export function createDeliveryJob(database: Database, transport: HttpTransport): JobKind {
  return {
    kind: deliverKind,
    concurrency: 8,
    maxAttempts,
    delayMs: (attempt) => (seconds[attempt - 1] ?? 3600) * 1000,
    async run(payload, { attempt, signal, ...context }) {
      const now = (): number => context.now()
      const id = readPayload(payload)
      const isLast = attempt >= maxAttempts
      const outcome = await deliver(database, transport, { id, isLast, now, signal })
      if (outcome === 'failed' && !isLast) throw new Error('the message was not taken')
    },
  }
}

/** Sends one message and writes down how that went. */
export async function deliver(
  database: Database,
  transport: HttpTransport,
  options: {
    readonly id: string
    /** Whether it is given up when it is not taken. */
    readonly isLast: boolean
    /** A test says nothing about the webhook. Default false. */
    readonly isTest?: boolean
    readonly now: () => number
    readonly signal: AbortSignal
  },
): Promise<'delivered' | 'failed' | 'gone'> {
  const { id, isLast, isTest = false, now, signal } = options
  const message = await database.get<{ readonly webhook_id: string; readonly body: string }>(
    'SELECT webhook_id, body FROM webhook_deliveries WHERE id = ?',
    [id],
  )
  const webhook = message && (await getWebhook(database, message.webhook_id))
  if (message === undefined || webhook === undefined) return 'gone'
  if (!webhook.isEnabled) {
    await database.run(`UPDATE webhook_deliveries SET state = 'failed', error = ? WHERE id = ?`, [
      'the webhook is disabled',
      id,
    ])
    return 'gone'
  }
  const attempt = await send(transport, webhook, { id, body: message.body, now, signal })
  // A replica that stops gives the message back as it was.
  signal.throwIfAborted()
  const isTaken = attempt.status !== undefined && attempt.status >= 200 && attempt.status < 300
  await database.transaction(async (transaction) => {
    await transaction.run(noteAttempt, [
      isTaken ? 'delivered' : isLast ? 'failed' : 'waiting',
      attempt.status ?? null,
      attempt.durationMs,
      attempt.answer ?? null,
      attempt.error ?? null,
      now(),
      id,
    ])
    if (isTest) return
    if (isTaken) await noteSuccess(transaction, webhook.id)
    else if (attempt.status === 410) {
      const reason = 'the receiver answered 410 Gone'
      await disableWebhook(transaction, webhook.id, { reason, now: now() })
    } else if (isLast) {
      await noteFailure(transaction, webhook.id, { most: maxFailures, now: now() })
    }
  })
  return isTaken ? 'delivered' : 'failed'
}

interface Attempt {
  readonly durationMs: number
  readonly status?: number
  /** The beginning of it, without secrets. */
  readonly answer?: string
  readonly error?: string
}

async function send(
  transport: HttpTransport,
  webhook: Webhook,
  message: {
    readonly id: string
    readonly body: string
    readonly now: () => number
    readonly signal: AbortSignal
  },
): Promise<Attempt> {
  const { id, body, now, signal } = message
  const began = performance.now()
  const signed = signWebhook(webhook.secret, { id, body, now: now() })
  const durationMs = (): number => Math.round(performance.now() - began)
  try {
    const { status, body: answer } = await guardedFetch(transport, {
      url: new URL(webhook.url),
      method: 'POST',
      headers: {
        ...signed,
        'content-type': 'application/cloudevents+json; charset=utf-8',
        'user-agent': 'katman-registry',
      },
      body: Buffer.from(body),
      timeoutMs,
      maxBytes: maxAnswerBytes,
      cut: true,
      signal,
    })
    const secrets = [
      webhook.secret,
      webhook.secret.slice('whsec_'.length),
      signed['webhook-signature'],
    ]
    return { durationMs: durationMs(), status, answer: redact(answer, secrets) }
  } catch (error) {
    // Where a guarded name leads is nobody's business; the codes say enough.
    const reason = isKatmanError(error)
      ? `${error.code}: ${error.message}`
      : 'the message could not be sent'
    return { durationMs: durationMs(), error: reason }
  }
}

/** As text, without what would be a secret if the receiver sends it back, and without what a database does not take. */
function redact(answer: Uint8Array, secrets: readonly string[]): string {
  let text = Buffer.from(answer).toString('utf8').replaceAll('\0', '')
  for (const secret of secrets) text = text.replaceAll(secret, '***')
  return text
}

function readPayload(payload: unknown): string {
  if (typeof payload === 'object' && payload !== null && 'delivery' in payload) {
    if (typeof payload.delivery === 'string') return payload.delivery
  }
  throw new TypeError('the job names no delivery')
}

const noteAttempt = `UPDATE webhook_deliveries
  SET state = ?, attempts = attempts + 1, status = ?, duration_ms = ?, answer = ?, error = ?, attempted_at = ?
  WHERE id = ?`
