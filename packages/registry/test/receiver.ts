import { once } from 'node:events'
import { createServer } from 'node:http'

/** Something that takes webhooks. */
export interface Receiver extends AsyncDisposable {
  readonly url: string
  readonly taken: readonly Taken[]
  /** What it answers from now on. */
  answer: { readonly status: number; readonly body?: string }
}

interface Taken {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export async function startReceiver(): Promise<Receiver> {
  const taken: Taken[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      taken.push({ headers: request.headers, body: Buffer.concat(chunks).toString() })
      response.writeHead(receiver.answer.status).end(receiver.answer.body)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('no TCP address')
  const receiver: Receiver = {
    url: `http://127.0.0.1:${address.port}/hook`,
    taken,
    answer: { status: 204 },
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
  return receiver
}
