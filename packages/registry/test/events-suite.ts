import { createHmac } from 'node:crypto'
import { expect, it } from 'vitest'
import type { Database } from '../src/index.ts'
import { migrate } from '../src/index.ts'
import { dispatchEvents } from '../src/events/dispatch.ts'
import { createDeliveryJob } from '../src/events/deliver.ts'
import { createEventFeed } from '../src/events/event-feed.ts'
import { writeOutbox } from '../src/events/outbox.ts'
import { createSecret } from '../src/events/sign-webhook.ts'
import { getWebhook, putWebhook, type Webhook } from '../src/events/webhook-store.ts'
import { createJobRunner } from '../src/jobs/runner.ts'
import { createGuardedTransport } from '../src/outbound/guarded-transport.ts'
import type { OpenDatabase } from './databases.ts'
import { startReceiver } from './receiver.ts'
import { createSeed, type Seed } from './seed.ts'

interface World extends AsyncDisposable {
  readonly database: Database
  readonly seed: Seed
  /** Sends what is due at the time of the seed. */
  deliver(): Promise<void>
  addWebhook(webhook: Partial<Webhook>): Promise<Webhook>
  delivery(): Promise<Delivery>
}

interface Delivery {
  readonly state: string
  readonly attempts: number
  readonly status: number | null
  readonly answer: string | null
  readonly error: string | null
}

const source = 'https://registry.test'

async function openWorld(open: OpenDatabase, allow = ['127.0.0.1']): Promise<World> {
  const database = await open()
  await migrate(database)
  const seed = createSeed(database, [writeOutbox])
  const transport = createGuardedTransport({ allow })
  const jobs = createJobRunner(database, [createDeliveryJob(database, transport)], {
    now: () => seed.now,
    random: () => 1,
  })
  return {
    database,
    seed,
    async deliver() {
      while ((await dispatchEvents(database, { source, now: seed.now })) > 0);
      await jobs.runDue()
    },
    async addWebhook(given) {
      const webhook: Webhook = {
        id: `hook-${seed.now}-${Math.random()}`,
        namespace: '',
        repositories: '**',
        types: [],
        url: 'https://hooks.test/',
        secret: createSecret(),
        isEnabled: true,
        failures: 0,
        disabledReason: null,
        createdBy: 'ada',
        createdAt: seed.now,
        updatedAt: seed.now,
        ...given,
      }
      await putWebhook(database, webhook)
      return webhook
    },
    async delivery() {
      const row = await database.get<Delivery>('SELECT * FROM webhook_deliveries')
      if (row === undefined) throw new Error('there is no delivery')
      return row
    },
    async [Symbol.asyncDispose]() {
      await jobs.stop()
      await transport[Symbol.asyncDispose]()
      await database.close()
    },
  }
}

async function listTypes(database: Database): Promise<readonly string[]> {
  const rows = await database.all<{ readonly type: string }>('SELECT type FROM events ORDER BY id')
  return rows.map(({ type }) => type.replace('dev.katman.registry.', ''))
}

/** Events, webhooks and the feed on a database. */
export function eventsSuite(open: OpenDatabase): void {
  it('tells what happened, in the transaction in which it happened', async () => {
    await using world = await openWorld(open)
    const { seed } = world
    const repository = await seed.repository('team/app')
    const first = await seed.image(repository, { tag: '1' })
    const second = await seed.image(repository, { size: 7 })
    await seed.tag(repository, '1', second)
    await seed.tag(repository, '1', second)
    await seed.untag(repository, '1')
    expect(await listTypes(world.database)).toEqual([
      'repository.created',
      'image.pushed',
      'tag.created',
      'image.pushed',
      'tag.moved',
      'tag.deleted',
    ])
    const moved = await world.database.get<{ readonly data: string; readonly subject: string }>(
      `SELECT data, subject FROM events WHERE type LIKE '%moved'`,
    )
    expect(moved?.subject).toBe('team/app:1')
    expect(JSON.parse(moved?.data ?? '')).toEqual({
      repository: 'team/app',
      namespace: 'team',
      tag: '1',
      digest: second,
      previous: first,
      actor: 'ada',
    })
  })

  it('sends a CloudEvent that the receiver can prove to be ours', async () => {
    await using world = await openWorld(open)
    await using receiver = await startReceiver()
    const { secret } = await world.addWebhook({
      url: receiver.url,
      types: ['dev.katman.registry.tag.created'],
    })
    const repository = await world.seed.repository('team/app')
    const digest = await world.seed.image(repository, { tag: 'latest' })
    await world.deliver()
    expect(receiver.taken).toHaveLength(1)
    const [{ headers, body } = { headers: {}, body: '' }] = receiver.taken
    expect(headers['content-type']).toBe('application/cloudevents+json; charset=utf-8')
    expect(JSON.parse(body)).toEqual({
      specversion: '1.0',
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      source,
      type: 'dev.katman.registry.tag.created',
      subject: 'team/app:latest',
      time: '2026-01-01T00:00:00.000Z',
      datacontenttype: 'application/json',
      sequence: '3',
      data: {
        repository: 'team/app',
        namespace: 'team',
        tag: 'latest',
        digest,
        previous: null,
        actor: 'ada',
      },
    })
    const [id, at] = [String(headers['webhook-id']), String(headers['webhook-timestamp'])]
    expect(at).toBe(String(world.seed.now / 1000))
    const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
    const mac = createHmac('sha256', key).update(`${id}.${at}.${body}`).digest('base64')
    expect(headers['webhook-signature']).toBe(`v1,${mac}`)
  })

  it('sends to a namespace only what happens there, and of what it wants', async () => {
    await using world = await openWorld(open)
    await using receiver = await startReceiver()
    await world.addWebhook({ url: receiver.url, namespace: 'team', repositories: 'team/a*' })
    await world.addWebhook({ url: receiver.url, namespace: 'team', isEnabled: false })
    for (const name of ['team/app', 'team/other', 'others/app', 'teammate/app', 'team-a/app']) {
      await world.seed.repository(name)
    }
    await world.deliver()
    expect(receiver.taken.map(({ body }) => JSON.parse(body).subject)).toEqual(['team/app'])
  })

  it('tries again what was not taken, with the same id, and writes down how it went', async () => {
    await using world = await openWorld(open)
    await using receiver = await startReceiver()
    const webhook = await world.addWebhook({ url: receiver.url })
    receiver.answer = { status: 500, body: `no: ${webhook.secret} ${'x'.repeat(10_000)}` }
    await world.seed.repository('team/app')
    await world.deliver()
    const failed = await world.delivery()
    expect(failed).toMatchObject({ state: 'waiting', attempts: 1, status: 500 })
    expect(failed.answer).not.toContain(webhook.secret.slice(6))
    expect(failed.answer?.length).toBeLessThanOrEqual(4096)
    await world.deliver()
    expect(receiver.taken).toHaveLength(1)
    receiver.answer = { status: 204 }
    world.seed.now += 10_000
    await world.deliver()
    expect(await world.delivery()).toMatchObject({ state: 'delivered', attempts: 2, status: 204 })
    const [first, second] = receiver.taken.map(({ headers }) => headers)
    expect(second?.['webhook-id']).toBe(first?.['webhook-id'])
    expect(second?.['webhook-signature']).not.toBe(first?.['webhook-signature'])
  })

  it('gives up after a day, and ends a webhook that takes nothing or says that it is gone', async () => {
    await using world = await openWorld(open)
    await using receiver = await startReceiver()
    const webhook = await world.addWebhook({ url: receiver.url, failures: 19 })
    receiver.answer = { status: 503 }
    await world.seed.repository('team/app')
    for (let attempt = 0; attempt < 12; attempt++) {
      await world.deliver()
      world.seed.now += 13 * 3600 * 1000
    }
    expect(receiver.taken).toHaveLength(10)
    expect(await world.delivery()).toMatchObject({ state: 'failed', attempts: 10 })
    expect(await getWebhook(world.database, webhook.id)).toMatchObject({
      isEnabled: false,
      disabledReason: '20 messages in a row were not taken',
    })
    const gone = await world.addWebhook({ url: receiver.url })
    receiver.answer = { status: 410 }
    await world.seed.repository('team/other')
    await world.deliver()
    expect(await getWebhook(world.database, gone.id)).toMatchObject({ isEnabled: false })
  })

  it('sends nothing into the network around it', async () => {
    await using world = await openWorld(open, [])
    await using receiver = await startReceiver()
    await world.addWebhook({ url: receiver.url })
    await world.seed.repository('team/app')
    await world.deliver()
    expect(receiver.taken).toEqual([])
    const { error } = await world.delivery()
    expect(error).toContain('ADDRESS_REFUSED')
  })

  it('gives every event one place, however many replicas give places', async () => {
    await using world = await openWorld(open)
    for (let count = 0; count < 30; count++) await world.seed.repository(`team/app${count}`)
    const told = await Promise.all(
      [1, 2, 3].map(() => dispatchEvents(world.database, { source, now: 0 })),
    )
    expect(told.reduce((sum, count) => sum + count, 0)).toBe(30)
    const rows = await world.database.all<{ readonly seq: number }>(
      'SELECT seq FROM events ORDER BY id',
    )
    expect(rows.map(({ seq }) => seq)).toEqual(Array.from({ length: 30 }, (_, index) => index + 1))
  })

  it('feeds those who listen, from where they were, with what they may see and want', async () => {
    await using world = await openWorld(open)
    const { database, seed } = world
    for (const name of ['team/one', 'team/secret', 'team/two', 'other/app']) {
      await seed.repository(name)
    }
    await seed.image(await seed.repository('team/three'), { tag: '1' })
    await dispatchEvents(database, { source, now: 0 })
    const feed = createEventFeed({ database, source, now: () => seed.now, pollMs: 5 })
    const listen = async (query: string, last: string): Promise<AsyncIterator<Uint8Array>> => {
      const answer = await feed.face(
        {
          method: 'GET',
          path: '/api/v1/events',
          query: new URLSearchParams(query),
          header: (name) => (name === 'last-event-id' ? last : undefined),
          body: (async function* nothing(): AsyncGenerator<Uint8Array> {})(),
        },
        async () => ({ may: () => true, maySee: (name) => !name.includes('secret') }),
      )
      expect(answer?.headers).toMatchObject({ 'content-type': 'text/event-stream; charset=utf-8' })
      const body = answer?.body as AsyncIterable<Uint8Array>
      return body[Symbol.asyncIterator]()
    }
    const next = async (reader: AsyncIterator<Uint8Array>): Promise<string> => {
      const { value } = await reader.next()
      return Buffer.from(value ?? '').toString()
    }
    const reader = await listen('repository=team/*&type=repository.created', '1')
    expect(await next(reader)).toBe('retry: 3000\n\n')
    const page = await next(reader)
    expect(page.match(/^id: \d+$/gm)).toEqual(['id: 3', 'id: 5'])
    expect(page).toContain('event: dev.katman.registry.repository.created\n')
    expect(page).toContain('"subject":"team/two"')
    const waiting = next(reader)
    await seed.repository('team/four')
    await dispatchEvents(database, { source, now: 0 })
    expect(await waiting).toContain('"subject":"team/four"')
    const ending = next(reader)
    feed.close()
    expect(await ending).toBe('')
  })

  it('lets nobody listen so often that others cannot', async () => {
    await using world = await openWorld(open)
    const { database } = world
    const feed = createEventFeed({ database, source, now: () => 0, maxListenersEach: 2 })
    const listen = async (account: string | undefined, client: string) => {
      const query = new URLSearchParams()
      const body = (async function* nothing(): AsyncGenerator<Uint8Array> {})()
      const answer = await feed.face(
        { method: 'GET', path: '/api/v1/events', query, header: () => undefined, body, client },
        async () => ({ account, may: () => true, maySee: () => true }),
      )
      const stream = answer?.body as AsyncIterable<Uint8Array>
      const reader = stream[Symbol.asyncIterator]()
      await reader.next()
      return reader
    }
    const first = await listen('ayse', '192.0.2.1')
    await listen('ayse', '192.0.2.2')
    await expect(listen('ayse', '192.0.2.3')).rejects.toMatchObject({ status: 429 })
    await listen('baris', '192.0.2.1')
    // Without an account it is the address that counts: of IPv6 what one household has.
    await listen(undefined, '2001:db8::1')
    await listen(undefined, '2001:db8::2')
    await expect(listen(undefined, '2001:db8::3')).rejects.toMatchObject({ status: 429 })
    await listen(undefined, '192.0.2.1')
    await first.return?.()
    await listen('ayse', '192.0.2.1')
    feed.close()
  })
}
