import type { IncomingMessage } from 'node:http'
import type { Answer, Fault } from '../hostile/hostile-registry.ts'

// What a connection or a broken server does, below any status: to the answer, or to what is sent.

/** Takes the request and says nothing. */
export const silent: Fault = ({ incoming }) => {
  incoming.resume()
}

/** The head of an answer, a byte at a time. */
export const dripped: Fault = ({ incoming, outgoing }) => {
  incoming.resume()
  const { socket } = outgoing
  const head = 'HTTP/1.1 200 OK\r\nX-Slow: '.padEnd(10_000, 'x')
  let at = 0
  const timer = setInterval(() => socket?.write(head[at++] ?? 'x'), 10)
  socket?.once('close', () => clearInterval(timer))
}

/** The answer with a head of our own making. */
function spelled(write: (answer: Answer) => string): Fault {
  return async ({ incoming, outgoing, honest }) => {
    const answer = await honest()
    outgoing.socket?.write(write(answer))
    outgoing.socket?.end(incoming.method === 'HEAD' ? '' : answer.body)
  }
}

/** A body in chunks whose first length is no number. */
export const badChunks = spelled(
  ({ status, headers }) =>
    `${headOf('HTTP/1.1', status, withoutLength(headers))}transfer-encoding: chunked\r\n\r\nno number\r\n`,
)

export const twoLengths = spelled(
  ({ status, headers, body }) =>
    `${headOf('HTTP/1.1', status, headers)}content-length: ${body.byteLength + 1}\r\n\r\n`,
)

/** An old server: no length, the end of the connection ends the body. */
export const oldServer = spelled(
  ({ status, headers }) => `${headOf('HTTP/1.0', status, withoutLength(headers))}\r\n`,
)

/** 500 bytes a second. */
export const slowAnswer: Fault = async ({ outgoing, honest }) => {
  const { status, headers, body } = await honest()
  const { socket } = outgoing
  socket?.write(`${headOf('HTTP/1.1', status, headers)}\r\n`)
  let at = 0
  const timer = setInterval(() => {
    socket?.write(body.subarray(at, (at += 10)))
    if (at >= body.byteLength) clearInterval(timer)
  }, 20)
  socket?.once('close', () => clearInterval(timer))
}

/** Half of what is sent arrives; then the connection ends, breaks, or stays open and takes nothing more. */
export function halfTaken(ending: 'end' | 'reset' | 'stall'): Fault {
  return async ({ incoming, outgoing, honest }) => {
    await honest({ body: firstHalf(incoming) })
    if (ending === 'end') outgoing.socket?.destroy()
    if (ending === 'reset') outgoing.socket?.resetAndDestroy()
  }
}

/** 500 bytes a second are taken, and none is kept. */
export const slowReader: Fault = ({ incoming, outgoing }) => {
  incoming.pause()
  const timer = setInterval(() => incoming.read(10), 20)
  outgoing.socket?.once('close', () => clearInterval(timer))
}

/** What is sent is changed on its way. */
export function changed(change: (chunk: Buffer, at: number) => Buffer): Fault {
  return async ({ incoming, honest, send }) => {
    send(await honest({ body: mapped(incoming, change) }))
  }
}

async function* firstHalf(incoming: IncomingMessage): AsyncIterable<Uint8Array> {
  let left = Math.floor(Number(incoming.headers['content-length'] ?? 0) / 2)
  // A connection that takes nothing more is not a closed one.
  for await (const chunk of incoming.iterator({ destroyOnReturn: false })) {
    if (!(chunk instanceof Uint8Array)) continue
    yield chunk.subarray(0, left)
    left -= chunk.byteLength
    if (left <= 0) break
  }
  throw new Error('the client is gone')
}

async function* mapped(
  incoming: IncomingMessage,
  change: (chunk: Buffer, at: number) => Buffer,
): AsyncIterable<Uint8Array> {
  let at = 0
  for await (const chunk of incoming) {
    if (!(chunk instanceof Uint8Array)) continue
    yield change(Buffer.from(chunk), at)
    at += chunk.byteLength
  }
}

function headOf(version: string, status: number, headers: Answer['headers']): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${version} ${status} Status\r\n${lines.join('')}`
}

function withoutLength(headers: Answer['headers']): Answer['headers'] {
  const { 'content-length': _length, ...rest } = headers
  return rest
}
