import { randomUUID } from 'node:crypto'
import type { HttpTransport } from '@katman/remote'
import { type AuditEntry, writeAudit } from '../accounts/audit-log.ts'
import type { Need, Visitor } from '../access.ts'
import type { Database } from '../database/database.ts'
import type { Face } from '../face.ts'
import { json, type RegistryRequest, type RegistryResponse } from '../http.ts'
import { invalid } from '../json-fields.ts'
import { Refusal } from '../refusal.ts'
import { deliver } from './deliver.ts'
import { addDelivery, enqueueDelivery } from './dispatch.ts'
import { getDelivery, listDeliveries, showDelivery } from './delivery-log.ts'
import { cloudEvent } from './event.ts'
import { createSecret } from './sign-webhook.ts'
import { readWebhookInput } from './webhook-input.ts'
import {
  countWebhooks,
  deleteWebhook,
  getWebhook,
  listWebhooks,
  putWebhook,
  type Webhook,
} from './webhook-store.ts'

export interface WebhookFaceOptions {
  readonly database: Database
  readonly transport: HttpTransport
  readonly source: string
  /** Milliseconds since 1970. */
  readonly now: () => number
}

interface Call extends WebhookFaceOptions {
  readonly request: RegistryRequest
  readonly visitor: Visitor
}

const root = '/api/v1/webhooks'
const maxWebhooks = 50

/**
 * `/api/v1/webhooks`: who may administer a namespace decides whom its events are told, who administers the registry that of all. A
 * webhook that the client may not see is not there.
 */
export function createWebhookFace(options: WebhookFaceOptions): Face {
  return async (request, admit) => {
    const { path } = request
    if (path !== root && !path.startsWith(`${root}/`)) return undefined
    const call = { ...options, request, visitor: await admit('login') }
    const [id, part, delivery, action, ...more] = path.slice(root.length + 1).split('/')
    if (more.length > 0) throw notThere()
    if (id === undefined || id === '') return answerList(call, admit)
    const webhook = await getWebhook(options.database, id)
    if (webhook === undefined || !call.visitor.may(needFor(webhook.namespace))) throw notThere()
    if (part === undefined) return answerOne(call, webhook)
    if (part === 'test' && delivery === undefined) return answerTest(call, webhook)
    if (part !== 'deliveries') throw notThere()
    if (delivery === undefined) return answerDeliveries(call, webhook)
    return answerDelivery(call, webhook, { id: delivery, action })
  }
}

async function answerList(
  call: Call,
  admit: (need: Need) => Promise<Visitor>,
): Promise<RegistryResponse> {
  const { request, database, visitor } = call
  if (request.method === 'GET') {
    const namespace = request.query.get('namespace') ?? ''
    await admit(needFor(namespace))
    return json(200, { webhooks: (await listWebhooks(database, namespace)).map(showWebhook) })
  }
  if (request.method !== 'POST') throw wrongMethod('GET, POST')
  const input = await readWebhookInput(request)
  if (input.url === undefined) throw invalid('url is missing')
  const namespace = input.namespace ?? ''
  await admit(needFor(namespace))
  const now = call.now()
  const webhook: Webhook = {
    id: randomUUID(),
    namespace,
    repositories: input.repositories ?? '**',
    types: input.types ?? [],
    url: input.url,
    secret: input.secret ?? createSecret(),
    isEnabled: input.isEnabled ?? true,
    failures: 0,
    disabledReason: null,
    createdBy: visitor.account ?? null,
    createdAt: now,
    updatedAt: now,
  }
  await database.transaction(async (transaction) => {
    if ((await countWebhooks(transaction, namespace)) >= maxWebhooks) {
      throw new Refusal(409, 'DENIED', `there are ${maxWebhooks} webhooks already`)
    }
    await putWebhook(transaction, webhook)
    await writeAudit(transaction, audited(call, 'webhook.create', webhook))
  })
  // The only time that the secret is shown.
  return json(201, { ...showWebhook(webhook), secret: webhook.secret })
}

async function answerOne(call: Call, webhook: Webhook): Promise<RegistryResponse> {
  const { request, database } = call
  switch (request.method) {
    case 'GET':
      return json(200, showWebhook(webhook))
    case 'DELETE':
      await database.transaction(async (transaction) => {
        await deleteWebhook(transaction, webhook.id)
        await writeAudit(transaction, audited(call, 'webhook.delete', webhook))
      })
      return { status: 204 }
    case 'PATCH': {
      const input = await readWebhookInput(request)
      if (input.namespace !== undefined && input.namespace !== webhook.namespace) {
        throw invalid('a webhook stays in its namespace')
      }
      const isEnabled = input.isEnabled ?? webhook.isEnabled
      const changed: Webhook = {
        ...webhook,
        repositories: input.repositories ?? webhook.repositories,
        types: input.types ?? webhook.types,
        url: input.url ?? webhook.url,
        secret: input.secret ?? webhook.secret,
        isEnabled,
        ...(isEnabled ? { failures: 0, disabledReason: null } : {}),
        updatedAt: call.now(),
      }
      await database.transaction(async (transaction) => {
        await putWebhook(transaction, changed)
        await writeAudit(transaction, audited(call, 'webhook.change', webhook))
      })
      return json(200, showWebhook(changed))
    }
    default:
      throw wrongMethod('GET, PATCH, DELETE')
  }
}

/** Sends a message at once and shows how it went. */
async function answerTest(call: Call, webhook: Webhook): Promise<RegistryResponse> {
  const { request, database, transport, source, now } = call
  if (request.method !== 'POST') throw wrongMethod('POST')
  if (!webhook.isEnabled) throw new Refusal(409, 'DENIED', 'the webhook is disabled')
  const event = {
    seq: 0,
    event_id: randomUUID(),
    type: 'dev.katman.registry.webhook.tested',
    repository: '',
    namespace: webhook.namespace,
    subject: webhook.id,
    actor: call.visitor.account ?? null,
    at: now(),
    data: JSON.stringify({ webhook: webhook.id, actor: call.visitor.account ?? null }),
  }
  const body = JSON.stringify(cloudEvent(event, source))
  const id = await database.transaction((transaction) =>
    addDelivery(transaction, { webhook, type: event.type, body, now: now() }),
  )
  await deliver(database, transport, {
    id,
    isLast: true,
    isTest: true,
    now,
    signal: new AbortController().signal,
  })
  const delivery = await getDelivery(database, webhook.id, id)
  if (delivery === undefined) throw notThere()
  return json(200, showDelivery(delivery))
}

async function answerDeliveries(call: Call, webhook: Webhook): Promise<RegistryResponse> {
  const { request, database } = call
  if (request.method !== 'GET') throw wrongMethod('GET')
  const before = request.query.get('before') ?? undefined
  const { deliveries, next } = await listDeliveries(database, webhook.id, before)
  const link = `<${root}/${webhook.id}/deliveries?before=${next}>; rel="next"`
  return json(
    200,
    { deliveries: deliveries.map(showDelivery), next },
    next === null ? {} : { link },
  )
}

async function answerDelivery(
  call: Call,
  webhook: Webhook,
  asked: { readonly id: string; readonly action: string | undefined },
): Promise<RegistryResponse> {
  const { request, database, now } = call
  const delivery = await getDelivery(database, webhook.id, asked.id)
  if (delivery === undefined) throw notThere()
  if (asked.action === undefined) {
    if (request.method !== 'GET') throw wrongMethod('GET')
    return json(200, { ...showDelivery(delivery), body: JSON.parse(delivery.body) })
  }
  if (asked.action !== 'redeliver') throw notThere()
  if (request.method !== 'POST') throw wrongMethod('POST')
  await database.transaction(async (transaction) => {
    await transaction.run(`UPDATE webhook_deliveries SET state = 'waiting' WHERE id = ?`, [
      asked.id,
    ])
    await enqueueDelivery(transaction, asked.id, now())
  })
  return json(202, { ...showDelivery(delivery), state: 'waiting' })
}

function showWebhook(webhook: Webhook): object {
  return {
    id: webhook.id,
    namespace: webhook.namespace,
    repositories: webhook.repositories,
    types: webhook.types,
    url: webhook.url,
    is_enabled: webhook.isEnabled,
    failures: webhook.failures,
    disabled_reason: webhook.disabledReason,
    created_by: webhook.createdBy,
    created_at: new Date(webhook.createdAt).toISOString(),
    updated_at: new Date(webhook.updatedAt).toISOString(),
  }
}

/** The address of a webhook may hold a secret in its path: the log names its host. */
function audited({ request, visitor, now }: Call, action: string, webhook: Webhook): AuditEntry {
  return {
    at: now(),
    actor: visitor.account,
    client: request.client,
    action,
    target: webhook.namespace === '' ? webhook.id : `${webhook.namespace}/${webhook.id}`,
    result: 'done',
    detail: new URL(webhook.url).host,
  }
}

function needFor(namespace: string): Need {
  return namespace === '' ? 'system' : { namespace }
}

function notThere(): Refusal {
  return new Refusal(404, 'NAME_UNKNOWN', 'there is no such webhook')
}

function wrongMethod(allow: string): Refusal {
  return new Refusal(405, 'UNSUPPORTED', `use ${allow}`, { headers: { allow } })
}
