import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { startRegistry, type TestRegistry } from '../support.ts'

/** A registry with a switch before it. */
export interface TestUpstream extends Switch {
  readonly registry: TestRegistry
}

/** What a registry is asked is written down, and a test may answer in its place. */
interface Switch extends AsyncDisposable {
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
  const before = await startSwitch(registry.url)
  return Object.assign(before, {
    registry,
    async [Symbol.asyncDispose]() {
      await before.die()
      await registry[Symbol.asyncDispose]()
    },
  })
}

/** The switch before any registry. */
export async function startSwitch(url: string): Promise<Switch> {
  const asked: string[] = []
  const server = createServer((incoming, outgoing) => {
    const path = incoming.url ?? ''
    if (path !== '/v2/') asked.push(`${incoming.method} ${path.replace('/v2/', '')}`)
    if (shown.behave(incoming, outgoing)) return
    const { headers, method = 'GET' } = incoming
    const forwarded = request(`${url}${incoming.url ?? ''}`, { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(outgoing)
    })
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
  const shown: Switch = {
    host: `127.0.0.1:${address.port}`,
    asked,
    behave: () => false,
    die,
    [Symbol.asyncDispose]: die,
  }
  return shown
}
