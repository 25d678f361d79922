import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { RegistryRequest, RegistryResponse } from '../http.ts'
import { type Listener, listen, type ListenerOptions } from './listener.ts'
import { createMetrics } from './metrics.ts'
import { watchPace } from './pace.ts'
import { nameRoute } from './route-name.ts'
import { defaultLimits } from './server-options.ts'
import { forwardedClient, trustProxies } from './trusted-proxies.ts'

type Handle = (request: RegistryRequest) => Promise<RegistryResponse>

const opened: Listener[] = []
afterEach(async () => {
  for (const listener of opened.splice(0)) {
    const drained = listener.drain()
    listener.cut()
    await drained
  }
})

async function open(handle: Handle, options: Partial<ListenerOptions> = {}): Promise<Listener> {
  const listener = await listen(handle, {
    listen: { host: '127.0.0.1', port: 0 },
    limits: defaultLimits,
    ...options,
  })
  opened.push(listener)
  return listener
}

/** Sends bytes as they are and resolves with all that comes back until the server hangs up. */
function talk(
  { address }: Listener,
  text: string,
  more?: (socket: Socket) => void,
): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect(address.port, address.host, () => {
      socket.write(text)
      more?.(socket)
    })
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')))
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(answer))
  })
}

const echo: Handle = async ({ path, client, isSecure }) => ({
  status: 200,
  body: Buffer.from(JSON.stringify({ path, client, isSecure })),
})

function head(target: string, ...lines: readonly string[]): string {
  return [
    `GET ${target} HTTP/1.1`,
    'Host: registry.example',
    ...lines,
    'Connection: close',
    '',
    '',
  ].join('\r\n')
}

describe('listen', () => {
  it.each([
    '/v2/a%2fb/tags/list',
    '/v2/a%2Fb/tags/list',
    '/v2/%2e%2e/tags/list',
    '/v2/../v2/',
    '/v2/./x',
    '/v2/a/..',
    '/v2/a\\b',
    '/v2/%5c',
    '/v2/%00',
    '/v2/%0d%0aSet-Cookie:x',
    '/v2/%7f',
    '/v2/%',
    'http://evil.example/v2/',
    '*',
  ])('does not show a handler the path %s', async (target) => {
    const seen: string[] = []
    const listener = await open(async ({ path }) => {
      seen.push(path)
      return { status: 200 }
    })
    expect(await talk(listener, head(target))).toMatch(/^HTTP\/1\.1 400 /)
    expect(seen).toEqual([])
  })

  it.each(['/v2/a/manifests/sha256%3aff', '/v2/...', '/v2/a.b/..c', '/v2/%C3%A9', '/x%5F'])(
    'shows it %s',
    async (target) => {
      const listener = await open(echo)
      expect(await talk(listener, head(target))).toContain(JSON.stringify(target))
    },
  )

  it('refuses heads that are too long, and requests two servers could read differently', async () => {
    const listener = await open(echo)
    const many = Array.from({ length: 101 }, (_, at) => `X-${at}: 1`)
    expect(await talk(listener, head('/v2/', ...many))).toMatch(/^HTTP\/1\.1 431 /)
    expect(await talk(listener, head('/v2/', `X-Long: ${'x'.repeat(20_000)}`))).toMatch(/ 431 /)
    expect(await talk(listener, head(`/v2/?${'x'.repeat(9000)}`))).toMatch(/^HTTP\/1\.1 414 /)
    for (const lines of [
      ['Content-Length: 5', 'Transfer-Encoding: chunked'],
      ['Content-Length: 5', 'Content-Length: 6'],
      ['Transfer-Encoding: chunked, identity'],
      ['Content-Length: +5'],
      ['X-Folded: a\r\n b'],
      ['Bad Name: 1'],
    ]) {
      expect(await talk(listener, head('/v2/', ...lines))).toMatch(/^HTTP\/1\.1 400 /)
    }
    expect(await talk(listener, 'GET /v2/ HTTP/1.1\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /)
  })

  it('answers at once when a document is too large, and reads none of it', async () => {
    const listener = await open(async () => {
      throw new Error('asked')
    })
    const text = 'PUT /v2/a/manifests/x HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n'
    expect(await talk(listener, text)).toMatch(/^HTTP\/1\.1 413 .*connection: close/is)
  })

  it('lets a client read its refusal while it still sends', async () => {
    const listener = await open(async () => ({ status: 401, body: Buffer.from('who are you') }))
    const text =
      'PATCH /v2/a/blobs/uploads/x HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n'
    const answer = await talk(listener, text, (socket) => {
      socket.write(Buffer.alloc(2_000_000))
    })
    expect(answer).toMatch(/^HTTP\/1\.1 401 .*who are you$/s)
  })

  it('asks for a body only when a handler wants it', async () => {
    const listener = await open(async ({ path, body }) => {
      if (path === '/no') return { status: 403 }
      for await (const chunk of body) void chunk
      return { status: 201 }
    })
    const ask = (path: string): string =>
      `PUT ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n`
    expect(await talk(listener, ask('/no'))).toMatch(/^HTTP\/1\.1 403 /)
    const answer = await talk(listener, ask('/v2/a'), (socket) => {
      socket.once('data', () => void socket.write('ok'))
    })
    expect(answer).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 /)
  })

  it('cuts the connection when a body ends before its length', async () => {
    const listener = await open(async () => ({
      status: 200,
      headers: { 'content-length': '10' },
      body: (async function* part(): AsyncGenerator<Uint8Array> {
        yield Buffer.from('half')
      })(),
    }))
    const answer = await talk(listener, 'GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(answer).toMatch(/half$/)
  })

  it('says which request it was by an id that is a plain word', async () => {
    const listener = await open(echo)
    expect(await talk(listener, head('/v2/', 'X-Request-Id: build-7.a'))).toContain(
      'X-Request-Id: build-7.a\r\n',
    )
    const other = await talk(listener, head('/v2/', 'X-Request-Id: "},{"level":"x'))
    expect(other).toMatch(/X-Request-Id: [\w-]+\r\n/)
    expect(other).not.toContain('level')
  })

  it('believes only proxies it trusts', async () => {
    const lines = ['X-Forwarded-For: 198.51.100.1, 203.0.113.7', 'X-Forwarded-Proto: https']
    const strict = await talk(await open(echo), head('/v2/', ...lines))
    expect(strict).toContain('"client":"127.0.0.1","isSecure":false')
    const trusting = await open(echo, { trustedProxies: ['127.0.0.0/8'] })
    expect(await talk(trusting, head('/v2/', ...lines))).toContain(
      '"client":"203.0.113.7","isSecure":true',
    )
  })

  it('closes connections that send nothing, or their head too slowly', async () => {
    const listener = await open(echo, { limits: { ...defaultLimits, headMs: 100 } })
    expect(await talk(listener, '')).toMatch(/^(?:HTTP\/1\.1 408 |$)/)
    expect(await talk(listener, 'GET /v2/ HTTP/1.1\r\nHost: a\r\nX-')).toMatch(/^HTTP\/1\.1 408 /)
  })

  it('refuses connections beyond its limit, and takes others when there is room again', async () => {
    const metrics = createMetrics()
    const listener = await open(echo, { limits: { ...defaultLimits, maxConnections: 2 }, metrics })
    const held = [1, 2].map(() => connect(listener.address.port))
    await Promise.all(
      held.map((socket) => new Promise((resolve) => socket.once('connect', resolve))),
    )
    expect(await talk(listener, head('/v2/'))).toBe('')
    expect(
      metrics.snapshot().values.get('katman_registry_connections_refused_total')?.get(''),
    ).toBe(1)
    for (const socket of held) socket.destroy()
    await expect.poll(() => talk(listener, head('/v2/'))).toMatch(/^HTTP\/1\.1 200 /)
  })
})

describe('a connection that sends requests without waiting for answers', () => {
  const ask = (at: number): string => `GET /v2/${at} HTTP/1.1\r\nHost: a\r\n\r\n`
  const asks = (count: number): string => Array.from({ length: count }, (_, at) => ask(at)).join('')

  it('gets them in order, each begun when the one before has left', async () => {
    const begun: string[] = []
    const first = Promise.withResolvers<void>()
    const listener = await open(async ({ path }) => {
      begun.push(path)
      if (path === '/v2/0') await first.promise
      return { status: 200, body: Buffer.from(`<${path}>`) }
    })
    const answer = talk(listener, asks(3) + head('/v2/3'))
    await expect.poll(() => begun.length).toBeGreaterThan(0)
    await talk(listener, head('/v2/other'))
    expect(begun).toEqual(['/v2/0', '/v2/other'])
    first.resolve()
    expect((await answer).match(/<[^>]*>/g)).toEqual(['</v2/0>', '</v2/1>', '</v2/2>', '</v2/3>'])
    expect(begun).toHaveLength(5)
  })

  it('is cut when too many wait, and none of those is begun', async () => {
    const begun: string[] = []
    const metrics = createMetrics()
    const end = Promise.withResolvers<void>()
    const listener = await open(
      async ({ path }) => {
        begun.push(path)
        await end.promise
        return { status: 200 }
      },
      { metrics },
    )
    expect(await talk(listener, asks(1000))).toBe('')
    end.resolve()
    await talk(listener, head('/v2/after'))
    expect(begun).toEqual(['/v2/0', '/v2/after'])
    await listener.measure()
    const { values } = metrics.snapshot()
    expect(values.get('katman_registry_clients_cut_total')?.get('reason="pipelined"')).toBe(1)
    expect(values.get('katman_registry_requests_running')?.get('')).toBe(0)
  })

  it('leaves nothing behind when it goes away', async () => {
    const begun: string[] = []
    const metrics = createMetrics()
    const end = Promise.withResolvers<void>()
    const listener = await open(
      async ({ path }) => {
        begun.push(path)
        await end.promise
        return { status: 200 }
      },
      { metrics },
    )
    await talk(listener, asks(50), (socket) => {
      void expect
        .poll(() => begun.length)
        .toBe(1)
        .then(() => socket.destroy())
    })
    end.resolve()
    await expect
      .poll(async () => {
        await listener.measure()
        return metrics.snapshot().values.get('katman_registry_requests_running')?.get('')
      })
      .toBe(0)
    expect(begun).toEqual(['/v2/0'])
  })
})

describe('watchPace', () => {
  const limits = { ...defaultLimits, idleMs: 60_000, minBytesPerSecond: 100 }
  type Watched = Parameters<ReturnType<typeof watchPace>['add']>[0]

  function watch(): { exchange: Watched; cut: Watched[]; look: (seconds: number) => void } {
    const cut: Watched[] = []
    const pace = watchPace(limits, (one) => void cut.push(one))
    const exchange = { startedAt: 0, received: 0, sent: 0, isWaiting: true } as unknown as Watched
    pace.add(exchange)
    return { exchange, cut, look: (seconds) => pace.look(seconds * 1000) }
  }

  it('cuts a client that stands still', () => {
    const { cut, look } = watch()
    look(59)
    expect(cut).toHaveLength(0)
    look(60)
    expect(cut).toHaveLength(1)
  })

  it('cuts one that sends a byte now and then, and lets a slow one go on for hours', () => {
    const [drip, slow] = [watch(), watch()]
    for (let second = 5; second <= 7200; second += 5) {
      drip.exchange.received += 1
      slow.exchange.received += 600
      drip.look(second)
      slow.look(second)
    }
    expect(drip.cut.length).toBeGreaterThan(0)
    expect(slow.cut).toHaveLength(0)
  })

  it('does not count the time in which the client waits for us', () => {
    const { exchange, cut, look } = watch()
    exchange.isWaiting = false
    look(600)
    exchange.isWaiting = true
    look(630)
    expect(cut).toHaveLength(0)
  })
})

describe('forwardedClient', () => {
  const isTrusted = trustProxies(['10.0.0.0/8', '::1'])
  it.each([
    [undefined, '192.0.2.1', '192.0.2.1'],
    ['198.51.100.1', '192.0.2.1', '192.0.2.1'],
    ['198.51.100.1', '10.0.0.1', '198.51.100.1'],
    ['6.6.6.6, 198.51.100.1, 10.1.1.1', '10.0.0.1', '198.51.100.1'],
    ['6.6.6.6, nonsense', '10.0.0.1', '10.0.0.1'],
    ['2001:db8::1', '::1', '2001:db8::1'],
    ['10.0.0.2', '10.0.0.1', '10.0.0.2'],
  ])('of %s by %s is %s', (header, peer, client) => {
    expect(forwardedClient(header, peer, isTrusted)).toBe(client)
  })
})

describe('nameRoute', () => {
  it.each([
    ['/v2/', 'base', undefined],
    ['/v2/_catalog', 'catalog', undefined],
    ['/v2/team/app/manifests/latest', 'manifest', 'team/app'],
    ['/v2/manifests/manifests/latest', 'manifest', 'manifests'],
    ['/v2/app/blobs/sha256:ff', 'blob', 'app'],
    ['/v2/app/blobs/uploads', 'uploads', 'app'],
    ['/v2/app/blobs/uploads/', 'uploads', 'app'],
    ['/v2/app/blobs/uploads/1-2', 'upload', 'app'],
    ['/v2/blobs/uploads/x', 'other', undefined],
    ['/v2/app/tags/list', 'tags', 'app'],
    ['/v2/app/referrers/sha256:ff', 'referrers', 'app'],
    ['/v2/repositories/library/app/tags/', 'hub', undefined],
    ['/constructor', 'other', undefined],
    ['/v2/manifests/x', 'other', undefined],
  ])('of %s is %s', (path, route, repository) => {
    expect(nameRoute(path)).toEqual({ route, repository })
  })
})
