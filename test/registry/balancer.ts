import {
  Agent,
  type ClientRequest,
  createServer,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http'
import { pipeline } from 'node:stream/promises'

export interface Balancer extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
  /** How many requests each server got, in their order. */
  readonly counts: readonly number[]
}

/**
 * Gives each request to the next of the servers: no two requests of a client need the same one. A server that cannot be reached
 * is passed over, as nginx and haproxy do; a request that had begun ends with 502.
 */
export async function startBalancer(hosts: readonly string[]): Promise<Balancer> {
  const agent = new Agent({ keepAlive: true })
  const counts = hosts.map(() => 0)
  let turn = 0

  async function forward(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const asked = await reach(incoming)
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      asked.once('response', resolve).once('error', reject)
    })
    // A server may answer before it has read everything.
    pipeline(incoming, asked).catch(() => undefined)
    const response = await answered
    outgoing.writeHead(response.statusCode ?? 502, response.rawHeaders)
    await pipeline(response, outgoing)
  }

  /** A request to the next server that takes the connection. */
  async function reach(incoming: IncomingMessage): Promise<ClientRequest> {
    let failure: unknown
    for (let tries = 0; tries < hosts.length; tries += 1) {
      const at = turn++ % hosts.length
      const [hostname, port] = (hosts[at] ?? '').split(':')
      const asked = request({
        agent,
        hostname,
        port,
        method: incoming.method,
        path: incoming.url,
        // As the client wrote them, Host too: answers lead back to the balancer.
        headers: incoming.headers,
        setHost: false,
      })
      try {
        await connected(asked)
        counts[at] = (counts[at] ?? 0) + 1
        return asked
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }

  const server = createServer((incoming, outgoing) => {
    forward(incoming, outgoing).catch(() => {
      if (outgoing.headersSent) outgoing.destroy()
      else outgoing.writeHead(502, { connection: 'close' }).end()
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('no TCP address')
  return {
    host: `127.0.0.1:${address.port}`,
    counts,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
      server.closeAllConnections()
      agent.destroy()
      await closed
    },
  }
}

function connected(asked: ClientRequest): Promise<void> {
  return new Promise((resolve, reject) => {
    asked.once('error', reject)
    asked.once('socket', (socket) => {
      const done = () => {
        asked.off('error', reject)
        // Whoever waits for the answer hears of it; until then nobody does.
        asked.on('error', () => undefined)
        resolve()
      }
      if (socket.connecting) socket.once('connect', done)
      else done()
    })
  })
}
