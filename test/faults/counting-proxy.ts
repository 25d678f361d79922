import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A TCP proxy that counts, and can cut. It adds nothing and keeps nothing back. */
export interface CountingProxy extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
  /** Bytes that clients sent, and got. */
  sent: number
  received: number
  /** Called as bytes of a client pass, with all that were sent so far. */
  onSent: ((sent: number) => void) | undefined
  /** Resolves when no connection is left: what was on its way has arrived. */
  quiet(): Promise<void>
  /** Resets every connection. */
  cut(): void
}

export async function startCountingProxy(upstream: string): Promise<CountingProxy> {
  const { hostname, port } = new URL(`http://${upstream}`)
  const sockets = new Set<Socket>()
  const waiting: (() => void)[] = []
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const behind = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
    for (const socket of [client, behind]) {
      sockets.add(socket)
      socket.once('close', () => {
        sockets.delete(socket)
        if (sockets.size === 0) for (const wake of waiting.splice(0)) wake()
      })
      // A side that broke is told to the other by its end.
      socket.on('error', () => {})
    }
    client.on('data', (chunk: Buffer) => {
      proxy.sent += chunk.byteLength
      proxy.onSent?.(proxy.sent)
    })
    behind.on('data', (chunk: Buffer) => {
      proxy.received += chunk.byteLength
    })
    client.pipe(behind)
    behind.pipe(client)
    client.once('close', () => behind.end())
    behind.once('close', () => client.destroy())
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a server that listens on TCP has such an address
  const address = server.address() as AddressInfo
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  const proxy: CountingProxy = {
    host: `127.0.0.1:${address.port}`,
    sent: 0,
    received: 0,
    onSent: undefined,
    async quiet() {
      if (sockets.size > 0) await new Promise<void>((resolve) => waiting.push(resolve))
    },
    cut,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => {
        server.close(resolve)
      })
      cut()
      await closed
    },
  }
  return proxy
}
