import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A wire in front of servers on loopback that a test can cut. Connections go to the targets in turn. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number
  /** What happens to new connections. `silent`: they are taken, and nothing more. */
  mode: 'pass' | 'refuse' | 'silent'
  /** Sees each piece before it is passed on; `false` cuts both sides instead, `lose` goes on without it. */
  onData: (from: 'client' | 'server', data: Buffer) => boolean | 'lose'
  /** Breaks every connection there is. */
  cut(): void
}

export async function startTcpProxy(targets: readonly number[]): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  let turn = 0
  const server = createServer((client) => {
    track(client)
    if (proxy.mode === 'refuse') {
      client.resetAndDestroy()
      return
    }
    if (proxy.mode === 'silent') return
    dial(client, targets.length)
  })

  function track(socket: Socket): void {
    sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
  }

  /** A target that refuses is passed over, as a balancer does. */
  function dial(client: Socket, left: number): void {
    const target = targets[turn++ % targets.length]
    if (target === undefined || left === 0) {
      client.resetAndDestroy()
      return
    }
    const upstream = connect(target, '127.0.0.1')
    track(upstream)
    const again = () => dial(client, left - 1)
    upstream.once('error', again)
    upstream.once('connect', () => {
      upstream.off('error', again)
      join(client, upstream, 'client')
      join(upstream, client, 'server')
    })
  }

  function join(from: Socket, to: Socket, side: 'client' | 'server'): void {
    from.on('data', (data) => {
      const goesOn = proxy.onData(side, data)
      if (goesOn === 'lose') return
      if (!goesOn) {
        from.resetAndDestroy()
        to.resetAndDestroy()
      } else if (!to.write(data)) {
        from.pause()
        to.once('drain', () => from.resume())
      }
    })
    from.on('end', () => to.end())
    from.on('close', () => to.destroy())
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const proxy: TcpProxy = {
    port: (server.address() as AddressInfo).port,
    mode: 'pass',
    onData: () => true,
    cut() {
      for (const socket of sockets) socket.resetAndDestroy()
    },
    async [Symbol.asyncDispose]() {
      proxy.cut()
      await new Promise((resolve) => {
        server.close(resolve)
      })
    },
  }
  return proxy
}
