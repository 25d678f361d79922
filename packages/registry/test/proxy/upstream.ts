import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { startRegistry, type TestRegistry } from '../support.ts'

/** A registry with a switch before it: what it is asked is written down, and a test may answer in its place. */
export interface TestUpstream extends AsyncDisposable {
  readonly registry: TestRegistry
  readonly host: string
  /** `GET library/app/manifests/1`, without the pings. */
  readonly asked: string[]
  /** Answers in place of the registry when it returns true. */
  behave: (incoming: IncomingMessage, outgoing: ServerResponse) => boolean
  /** From now on nothing listens. */
  die(): Promise<void>
}

export async function startUpstream(): Promise<TestUpstream> {
  const registry = await startRegistry()
  const asked: string[] = []
  const server = createServer((incoming, outgoing) => {
    const path = incoming.url ?? ''
    if (path !== '/v2/') asked.push(`${incoming.method} ${path.replace('/v2/', '')}`)
    if (upstream.behave(incoming, outgoing)) return
    const { headers, method = 'GET' } = incoming
    const forwarded = request(
      `${registry.url}${incoming.url ?? ''}`,
      { method, headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
        answer.pipe(outgoing)
      },
    )
    forwarded.on('error', () => outgoing.destroy())
    incoming.pipe(forwarded)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('no TCP address')
  const die = async (): Promise<void> => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  const upstream: TestUpstream = {
    registry,
    host: `127.0.0.1:${address.port}`,
    asked,
    behave: () => false,
    die,
    async [Symbol.asyncDispose]() {
      await die()
      await registry[Symbol.asyncDispose]()
    },
  }
  return upstream
}
