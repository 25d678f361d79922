import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * What happens to one request. `silent`: no answer ever. `cutAfter`: the answer breaks off after so many bytes. `delayMs`: it is
 * passed on so much later.
 */
type Fault =
  | 'pass'
  | 'silent'
  | { readonly status: number }
  | { readonly cutAfter: number }
  | { readonly delayMs: number }

/** An HTTP server that passes everything on to another one, but for what a test wants to go wrong. */
export interface FaultyServer extends AsyncDisposable {
  readonly port: number
  /** Every request that came, as `GET /path?query`. */
  readonly requests: string[]
  decide: (method: string, path: string) => Fault
}

export async function startFaultyServer(target: number): Promise<FaultyServer> {
  const server = createServer({ keepAliveTimeout: 1000 }, (incoming, outgoing) => {
    const line = `${incoming.method} ${incoming.url}`
    faulty.requests.push(line)
    outgoing.on('error', () => undefined)
    const fault = faulty.decide(incoming.method ?? '', incoming.url ?? '')
    if (fault === 'silent') {
      incoming.resume()
    } else if (fault === 'pass') {
      pass(incoming, outgoing, target, Number.POSITIVE_INFINITY)
    } else if ('delayMs' in fault) {
      setTimeout(() => {
        pass(incoming, outgoing, target, Number.POSITIVE_INFINITY)
      }, fault.delayMs)
    } else if ('cutAfter' in fault) {
      pass(incoming, outgoing, target, fault.cutAfter)
    } else {
      incoming.resume()
      outgoing.writeHead(fault.status, { 'content-type': 'application/xml' })
      outgoing.end(
        '<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>',
      )
    }
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const faulty: FaultyServer = {
    port: (server.address() as AddressInfo).port,
    requests: [],
    decide: () => 'pass',
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => {
        server.close(resolve)
      })
    },
  }
  return faulty
}

function pass(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  port: number,
  cutAfter: number,
): void {
  const { method = 'GET', url: path = '/', headers } = incoming
  const onward = request({ host: '127.0.0.1', port, method, path, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
    let left = cutAfter
    answer.on('data', (data: Buffer) => {
      const piece = data.subarray(0, left)
      left -= piece.byteLength
      outgoing.write(piece, () => {
        if (left <= 0) outgoing.destroy()
      })
    })
    answer.on('end', () => outgoing.end())
    answer.on('error', () => outgoing.destroy())
  })
  onward.on('error', () => outgoing.destroy())
  // The client waits for this word before it sends a large body.
  onward.on('continue', () => outgoing.writeContinue())
  incoming.pipe(onward)
}
