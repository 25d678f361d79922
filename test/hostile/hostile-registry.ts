import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import {
  createRegistry,
  openMemoryStorage,
  type RegistryResponse,
  type RegistryStorage,
} from '@katman/registry'

/** What the honest registry would answer. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** One request on its way through the hands of a fault. */
interface Exchange {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
  readonly path: string
  /**
   * The right answer; without `range`, as from a server that does not know Range. `body` is what the registry gets to
   * see instead of what was sent.
   */
  readonly honest: (options?: {
    readonly range?: boolean
    readonly body?: AsyncIterable<Uint8Array>
  }) => Promise<Answer>
  /** Sends an answer as it is: headers that lie about the body too. */
  readonly send: (answer: Answer) => void
}

export type Fault = (exchange: Exchange) => Promise<void> | void

interface SeenRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
}

/** The real registry with a hand between it and the client. */
export interface HostileRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
  readonly url: string
  readonly storage: RegistryStorage
  readonly requests: SeenRequest[]
  /** Lets `fault` answer what matches `METHOD /path?query`, that many times (default: for ever). */
  disturb(pattern: RegExp, fault: Fault, times?: number): void
  /** Bytes that came from clients, and that were sent to them. */
  traffic(): { readonly received: number; readonly sent: number }
  /** Answers 401 with this challenge to every request without credentials, before any fault. */
  challenge(header: string): void
  /** The same, with the address of a token service of its own, which has tokens for everybody. */
  wantTokens(): void
  /** No faults any more. */
  behave(): void
}

const token: RegistryResponse = {
  status: 200,
  headers: { 'content-type': 'application/json' },
  body: Buffer.from('{"token":"from-the-test","expires_in":300}'),
}

interface Rule {
  readonly pattern: RegExp
  readonly fault: Fault
  left: number
}

export async function startHostileRegistry(
  options: {
    readonly tls?: { readonly cert: string; readonly key: string }
    /** Default: nothing yet. */
    readonly storage?: RegistryStorage
  } = {},
): Promise<HostileRegistry> {
  const storage = options.storage ?? (await openMemoryStorage())
  const registry = createRegistry(storage)
  const rules: Rule[] = []
  const requests: SeenRequest[] = []
  const sockets = new Set<Socket>()
  const past = { received: 0, sent: 0 }
  let challenge: string | undefined

  async function handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = incoming
    requests.push({ method, path: url, headers })
    const isToken = url.startsWith('/token')
    const exchange = createExchange(incoming, outgoing, async ({ range = true, body } = {}) =>
      wholeAnswer(
        isToken
          ? token
          : await registry.handle({
              method,
              path: url.split('?')[0] ?? '',
              query: new URLSearchParams(url.split('?')[1]),
              header: (name) =>
                name === 'range' && !range ? undefined : headersOf(incoming)[name],
              body: body ?? incoming,
            }),
      ),
    )
    if (challenge !== undefined && !isToken && headers.authorization === undefined) {
      exchange.send({
        status: 401,
        headers: { 'www-authenticate': challenge, 'content-length': '0' },
        body: Buffer.alloc(0),
      })
      return
    }
    const rule = rules.find((one) => one.left > 0 && one.pattern.test(`${method} ${url}`))
    if (rule === undefined) {
      exchange.send(await exchange.honest())
      return
    }
    rule.left--
    await rule.fault(exchange)
  }

  const listener = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    handle(incoming, outgoing).catch(() => outgoing.destroy())
  }
  const server =
    options.tls === undefined ? createServer(listener) : createSecureServer(options.tls, listener)
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => {
      sockets.delete(socket)
      past.received += socket.bytesRead
      past.sent += socket.bytesWritten
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a server that listens on TCP has such an address
  const { port } = server.address() as AddressInfo
  return {
    host: `127.0.0.1:${port}`,
    url: `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    storage,
    requests,
    disturb: (pattern, fault, times = Infinity) => void rules.push({ pattern, fault, left: times }),
    traffic() {
      const open = [...sockets]
      return {
        received: open.reduce((sum, { bytesRead }) => sum + bytesRead, past.received),
        sent: open.reduce((sum, { bytesWritten }) => sum + bytesWritten, past.sent),
      }
    },
    wantTokens() {
      const scheme = options.tls === undefined ? 'http' : 'https'
      challenge = `Bearer realm="${scheme}://127.0.0.1:${port}/token",service="r"`
    },
    challenge(header) {
      challenge = header
    },
    behave() {
      rules.length = 0
      challenge = undefined
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => {
        server.close(resolve)
      })
      server.closeAllConnections()
      await closed
    },
  }
}

function createExchange(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  honest: Exchange['honest'],
): Exchange {
  return {
    incoming,
    outgoing,
    path: incoming.url ?? '',
    honest,
    send({ status, headers, body }) {
      // Past node:http, which would notice that length and body do not fit.
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
      const head = `HTTP/1.1 ${status} Status\r\n${lines.join('')}connection: close\r\n\r\n`
      incoming.resume()
      const { socket } = outgoing
      socket?.write(head)
      socket?.end(incoming.method === 'HEAD' ? '' : body)
    },
  }
}

async function wholeAnswer({ status, headers = {}, body }: RegistryResponse): Promise<Answer> {
  const chunks: Uint8Array[] = []
  if (body instanceof Uint8Array) chunks.push(body)
  else if (body !== undefined) for await (const chunk of body) chunks.push(chunk)
  const bytes = Buffer.concat(chunks)
  const length = headers['content-length'] ?? String(bytes.byteLength)
  return { status, headers: { ...headers, 'content-length': length }, body: bytes }
}

function headersOf(incoming: IncomingMessage): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(
    Object.entries(incoming.headersDistinct).map(([name, values]) => [name, values?.join(', ')]),
  )
}
