import { expect, it } from 'vitest'
import type { Database, Face, Need } from '../src/index.ts'
import { migrate } from '../src/index.ts'
import { createWebhookFace } from '../src/events/webhook-face.ts'
import { createGuardedTransport } from '../src/outbound/guarded-transport.ts'
import { Refusal } from '../src/refusal.ts'
import type { OpenDatabase } from './databases.ts'
import { startReceiver } from './receiver.ts'

interface World extends AsyncDisposable {
  readonly database: Database
  /** Asks as the owner of the namespace team, or as another account. */
  ask(method: string, path: string, options?: AskOptions): Promise<Answer>
}

interface AskOptions {
  readonly body?: unknown
  readonly account?: 'owner' | 'stranger' | 'admin'
}

interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

async function openWorld(open: OpenDatabase): Promise<World> {
  const database = await open()
  await migrate(database)
  const transport = createGuardedTransport({ allow: ['127.0.0.1'] })
  let now = Date.UTC(2026, 0, 1)
  const face = createWebhookFace({
    database,
    transport,
    source: 'https://registry.test',
    now: () => (now += 1000),
  })
  return {
    database,
    ask: (method, path, options) => ask(face, method, path, options),
    async [Symbol.asyncDispose]() {
      await transport[Symbol.asyncDispose]()
      await database.close()
    },
  }
}

async function ask(
  face: Face,
  method: string,
  path: string,
  { body, account = 'owner' }: AskOptions = {},
): Promise<Answer> {
  const url = new URL(path, 'https://registry.test/api/v1/webhooks/')
  const may = (need: Need): boolean =>
    need === 'login' ||
    account === 'admin' ||
    (account === 'owner' &&
      typeof need === 'object' &&
      'namespace' in need &&
      need.namespace === 'team')
  try {
    const answered = await face(
      {
        method,
        path: url.pathname,
        query: url.searchParams,
        header: () => undefined,
        body: (async function* sent() {
          if (body !== undefined) yield Buffer.from(JSON.stringify(body))
        })(),
      },
      async (need) => {
        if (!may(need)) throw new Refusal(403, 'DENIED', 'denied')
        return { account, may, maySee: () => true }
      },
    )
    const text = Buffer.from((answered?.body as Uint8Array | undefined) ?? '').toString()
    return { status: answered?.status ?? 0, body: JSON.parse(text || '{}') as Answer['body'] }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return { status: error.status, body: { message: error.message } }
  }
}

const hook = { namespace: 'team', url: 'https://hooks.test/secret-path', types: ['tag.moved'] }

/** The API by which webhooks are set up, on a database. */
export function webhooksSuite(open: OpenDatabase): void {
  it('makes a webhook and shows its secret once', async () => {
    await using world = await openWorld(open)
    const made = await world.ask('POST', '/api/v1/webhooks', { body: hook })
    expect(made).toMatchObject({
      status: 201,
      body: {
        namespace: 'team',
        repositories: '**',
        types: ['dev.katman.registry.tag.moved'],
        secret: expect.stringMatching(/^whsec_/),
        is_enabled: true,
        created_by: 'owner',
      },
    })
    const { secret: _once, ...shown } = made.body
    const id = String(made.body['id'])
    expect((await world.ask('GET', id)).body).toEqual(shown)
    expect((await world.ask('GET', '?namespace=team')).body).toEqual({ webhooks: [shown] })
    const log = await world.database.all('SELECT actor, action, target, detail FROM audit_log')
    expect(log).toEqual([
      { actor: 'owner', action: 'webhook.create', target: `team/${id}`, detail: 'hooks.test' },
    ])
  })

  it('changes and deletes it', async () => {
    await using world = await openWorld(open)
    const id = String((await world.ask('POST', '/api/v1/webhooks', { body: hook })).body['id'])
    const changed = await world.ask('PATCH', id, { body: { is_enabled: false, types: [] } })
    expect(changed.body).toMatchObject({ is_enabled: false, types: [], url: hook.url })
    expect((await world.ask('PATCH', id, { body: { namespace: 'other' } })).status).toBe(400)
    expect((await world.ask('POST', `${id}/test`)).status).toBe(409)
    expect((await world.ask('DELETE', id)).status).toBe(204)
    expect((await world.ask('GET', id)).status).toBe(404)
  })

  it('is for those who administer the namespace, and for all of the registry for its administrators', async () => {
    await using world = await openWorld(open)
    const id = String((await world.ask('POST', '/api/v1/webhooks', { body: hook })).body['id'])
    const account = 'stranger'
    for (const [method, path] of [
      ['GET', id],
      ['PATCH', id],
      ['DELETE', id],
      ['POST', `${id}/test`],
      ['GET', `${id}/deliveries`],
    ] as const) {
      const body = {}
      expect((await world.ask(method, path, { account, body })).status, path).toBe(404)
    }
    expect((await world.ask('GET', '?namespace=team', { account })).status).toBe(403)
    expect((await world.ask('POST', '/api/v1/webhooks', { account, body: hook })).status).toBe(403)
    const everywhere = { url: hook.url }
    expect((await world.ask('POST', '/api/v1/webhooks', { body: everywhere })).status).toBe(403)
    const made = await world.ask('POST', '/api/v1/webhooks', { body: everywhere, account: 'admin' })
    expect(made.status).toBe(201)
    expect((await world.ask('GET', String(made.body['id']))).status).toBe(404)
  })

  it('names what is wrong with a request', async () => {
    await using world = await openWorld(open)
    for (const [body, message] of [
      [{ ...hook, colour: 'red' }, 'unknown key "colour"'],
      [{ ...hook, url: 'ftp://a.test/' }, 'url is no address of http or https'],
      [
        { ...hook, url: 'https://user:password@a.test/' },
        'url has a user: messages are signed instead',
      ],
      [{ ...hook, url: undefined }, 'url is missing'],
      [{ ...hook, secret: 'short' }, 'secret is not whsec_ and 24 to 64 bytes in base64'],
      [
        { ...hook, repositories: '../x' },
        'repositories is no pattern: write team/app, team/* or **',
      ],
      [{ ...hook, is_enabled: 'yes' }, 'is_enabled is neither true nor false'],
      [[], 'the body is no object'],
    ] as const) {
      const answer = await world.ask('POST', '/api/v1/webhooks', { body })
      expect(answer).toEqual({ status: 400, body: { message } })
    }
    const large = await world.ask('POST', '/api/v1/webhooks', { body: 'x'.repeat(40_000) })
    expect(large.status).toBe(413)
  })

  it('sends a test message at once, and keeps a log of what was sent', async () => {
    await using world = await openWorld(open)
    await using receiver = await startReceiver()
    receiver.answer = { status: 418, body: 'no coffee' }
    const body = { ...hook, url: receiver.url }
    const id = String((await world.ask('POST', '/api/v1/webhooks', { body })).body['id'])
    const tested = await world.ask('POST', `${id}/test`)
    expect(tested).toMatchObject({
      status: 200,
      body: {
        type: 'dev.katman.registry.webhook.tested',
        state: 'failed',
        attempts: 1,
        status: 418,
        answer: 'no coffee',
      },
    })
    expect(JSON.parse(receiver.taken[0]?.body ?? '')).toMatchObject({ data: { webhook: id } })
    for (let count = 0; count < 50; count++) await world.ask('POST', `${id}/test`)
    const first = await world.ask('GET', `${id}/deliveries`)
    expect(first.body['deliveries']).toHaveLength(50)
    const second = await world.ask('GET', `${id}/deliveries?before=${String(first.body['next'])}`)
    expect(second.body).toEqual({ deliveries: [tested.body], next: null })
    expect(await world.database.all('SELECT kind FROM jobs')).toEqual([])
    const message = String(tested.body['id'])
    const again = await world.ask('POST', `${id}/deliveries/${message}/redeliver`)
    expect(again).toMatchObject({ status: 202, body: { state: 'waiting' } })
    const jobs = await world.database.all('SELECT kind FROM jobs')
    expect(jobs).toContainEqual({ kind: 'webhook.deliver' })
  })
}
