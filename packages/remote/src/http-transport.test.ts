import { readFile } from 'node:fs/promises'
import { createServer as createTlsServer } from 'node:https'
import { connect, createServer, type Server, type Socket } from 'node:net'
import path from 'node:path'
import { mediaTypes } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import { startMemoryRegistry } from '../test/memory-registry.ts'
import { openRepository, readAll } from '../test/support.ts'
import { createHttpTransport } from './http-transport.ts'
import { defaultSettings } from './settings.ts'

const fixtures = path.join(import.meta.dirname, '../test/fixtures')

interface Listening extends AsyncDisposable {
  readonly port: number
}

async function listen(server: Server): Promise<Listening> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('no TCP address')
  return {
    port: address.port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => {
        server.close(resolve)
      })
    },
  }
}

/** A server that answers every request with these bytes and keeps the connection open. */
const rawServer = (answer: string) =>
  listen(
    createServer((socket) => {
      socket.on('data', () => socket.write(answer))
    }),
  )

async function get(port: number, limits = {}): Promise<Buffer> {
  await using transport = createHttpTransport({ limits })
  const response = await transport.send({
    method: 'GET',
    url: new URL(`http://127.0.0.1:${port}/`),
  })
  return await readAll(response.body)
}

describe('createHttpTransport', () => {
  it('gives up when no response head comes', async () => {
    await using server = await rawServer('HTTP/1.1 200')
    await expect(get(server.port, { headersMs: 30 })).rejects.toMatchObject({ code: 'TIMEOUT' })
  })

  it('gives up when the body stalls', async () => {
    await using server = await rawServer('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc')
    await expect(get(server.port, { idleMs: 30 })).rejects.toMatchObject({ code: 'TIMEOUT' })
  })

  it('gives up when the body only trickles', async () => {
    await using server = await listen(
      createServer((socket) => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n')
        const timer = setInterval(() => socket.write('x'), 5)
        socket.on('close', () => clearInterval(timer))
      }),
    )
    await expect(get(server.port, { idleMs: 5000, floorSpanMs: 40 })).rejects.toMatchObject({
      code: 'TIMEOUT',
    })
  })

  it('takes a body that is cut for a lost connection', async () => {
    for (const head of [
      'content-length: 10\r\n\r\nabc',
      'transfer-encoding: chunked\r\n\r\n5\r\nab',
    ]) {
      await using server = await listen(
        createServer((socket) => {
          socket.on('data', () => socket.end(`HTTP/1.1 200 OK\r\n${head}`))
        }),
      )
      await expect(get(server.port)).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    }
  })

  it('tells what broke before the body was read', async () => {
    await using server = await listen(
      createServer((socket) => {
        socket.on('data', () => {
          socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc', () => socket.destroy())
        })
      }),
    )
    await using transport = createHttpTransport()
    const url = new URL(`http://127.0.0.1:${server.port}/`)
    const response = await transport.send({ method: 'GET', url })
    await new Promise((resolve) => {
      setImmediate(() => setImmediate(resolve))
    })
    await expect(readAll(response.body)).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
  })

  it.each([
    'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
    `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(70_000)}\r\n\r\n`,
    'SSH-2.0-OpenSSH\r\n',
  ])('refuses what is no proper HTTP (%#)', async (answer) => {
    await using server = await rawServer(answer)
    await expect(get(server.port)).rejects.toMatchObject({ code: 'RESPONSE_INVALID' })
  })

  it('refuses private addresses where only public ones are allowed, also behind a name', async () => {
    await using transport = createHttpTransport()
    for (const host of ['127.0.0.1', 'localhost', '169.254.169.254', '[::1]']) {
      await expect(
        transport.send({ method: 'GET', url: new URL(`http://${host}:1/`), publicOnly: true }),
      ).rejects.toMatchObject({ code: 'REDIRECT_REFUSED' })
    }
  })

  it('ends with the reason of the signal', async () => {
    await using server = await rawServer('')
    await using transport = createHttpTransport()
    const controller = new AbortController()
    const url = new URL(`http://127.0.0.1:${server.port}/`)
    const sent = transport.send({ method: 'GET', url, signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(sent).rejects.toThrow('enough')
  })

  it('speaks through a proxy, in absolute form', async () => {
    await using registry = await startMemoryRegistry()
    const seen: string[] = []
    await using proxy = await listen(
      createServer((socket) => {
        socket.once('data', (data) => {
          seen.push(data.toString().split('\r\n')[0] ?? '')
          const onward = connect(Number(new URL(registry.url).port), '127.0.0.1')
          onward.write(data.toString().replace('http://far.test/', '/'))
          onward.pipe(socket).on('error', () => onward.destroy())
        })
      }),
    )
    await using transport = createHttpTransport({ proxies: { http: `127.0.0.1:${proxy.port}` } })
    const response = await transport.send({ method: 'GET', url: new URL('http://far.test/v2/') })
    expect(response.status).toBe(200)
    response.discard()
    expect(seen).toEqual(['GET http://far.test/v2/ HTTP/1.1'])
  })
})

describe('TLS', () => {
  async function startTlsRegistry() {
    const registry = await startMemoryRegistry()
    const cert = await readFile(path.join(fixtures, 'loopback.crt'), 'utf8')
    const key = await readFile(path.join(fixtures, 'loopback.key'), 'utf8')
    const server = createTlsServer({ cert, key }, (request, response) => {
      registry.server.emit('request', request, response)
    })
    const listening = await listen(server)
    return {
      cert,
      registry,
      host: `127.0.0.1:${listening.port}`,
      async [Symbol.asyncDispose]() {
        await listening[Symbol.asyncDispose]()
        await registry[Symbol.asyncDispose]()
      },
    }
  }

  it('is found on loopback, whose certificates nobody has to vouch for', async () => {
    await using tls = await startTlsRegistry()
    const manifest = tls.registry.addManifest({}, mediaTypes.ociManifest, 'team/demo:1')
    await using opened = openRepository(tls)
    expect(await opened.repository.resolve('1')).toEqual(manifest)
  })

  it('is checked against the CA of certs.d when there is one', async () => {
    await using tls = await startTlsRegistry()
    const manifest = tls.registry.addManifest({}, mediaTypes.ociManifest, 'team/demo:1')
    const withCa = (ca: string) => ({
      settings: { ...defaultSettings, tls: new Map([[tls.host, { ca: [ca] }]]) },
    })
    await using good = openRepository(tls, withCa(tls.cert))
    expect(await good.repository.resolve('1')).toEqual(manifest)
  })

  it('refuses unknown certificates', async () => {
    await using tls = await startTlsRegistry()
    await using transport = createHttpTransport()
    await expect(
      transport.send({ method: 'GET', url: new URL(`https://${tls.host}/v2/`) }),
    ).rejects.toMatchObject({
      code: 'TLS_ERROR',
      details: {
        dockerMessage: `Get "https://${tls.host}/v2/": x509: certificate signed by unknown authority`,
      },
    })
  })

  it('says that a server speaks plain http', async () => {
    await using registry = await startMemoryRegistry()
    await using transport = createHttpTransport()
    await expect(
      transport.send({ method: 'GET', url: new URL(`https://${registry.host}/v2/`) }),
    ).rejects.toMatchObject({
      code: 'TLS_ERROR',
      details: {
        dockerMessage: expect.stringContaining('server gave HTTP response to HTTPS client'),
      },
    })
  })
})
