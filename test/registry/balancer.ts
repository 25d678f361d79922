import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'

export interface Balancer extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
}

/** Gives each request to the next of the servers: no two requests of a client need the same one. */
export async function startBalancer(hosts: readonly string[]): Promise<Balancer> {
  const agent = new Agent({ keepAlive: true })
  let turn = 0
  const forward = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const [hostname, port] = (hosts[turn++ % hosts.length] ?? '').split(':')
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
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      asked.once('response', resolve).once('error', reject)
    })
    // A server may answer before it has read everything.
    pipeline(incoming, asked).catch(() => undefined)
    const response = await answered
    outgoing.writeHead(response.statusCode ?? 502, response.rawHeaders)
    await pipeline(response, outgoing)
  }
  const server = createServer((incoming, outgoing) => {
    forward(incoming, outgoing).catch(() => {
      if (outgoing.headersSent) outgoing.destroy()
      else outgoing.writeHead(502).end()
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
