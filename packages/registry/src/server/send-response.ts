import type { ServerResponse } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { isSendable, type RegistryResponse } from '../http.ts'
import type { Exchange } from './exchange.ts'

/** What is left of a refused body is read for so long, so that the client reads the answer before it is cut. */
const lingerMs = 500
/** So much of it is read before the answer, and the connection stays. */
const smallBody = 64 * 1024
const smallAnswer = 32 * 1024

/**
 * Writes an answer. Rejects when the client went away or the source of the body failed in the middle; then the connection must be
 * cut, so that nobody takes a part for the whole.
 */
export async function sendResponse(
  exchange: Exchange,
  outgoing: ServerResponse,
  { status, headers, body }: RegistryResponse,
  options: { readonly isLast: boolean },
): Promise<void> {
  const isWhole = body === undefined || body instanceof Uint8Array
  const hasNoBody = status === 204 || status === 304 || exchange.method === 'HEAD'
  const isRefusedBody = !(await isRead(exchange))
  const lines = [
    'Docker-Distribution-Api-Version',
    'registry/2.0',
    'X-Content-Type-Options',
    'nosniff',
    'X-Request-Id',
    exchange.id,
  ]
  let length: number | undefined
  for (const name in headers) {
    if (name === 'content-length') length = Number(headers[name])
    lines.push(name, headers[name] ?? '')
  }
  if (isWhole && !hasNoBody && length === undefined) {
    length = body?.byteLength ?? 0
    lines.push('content-length', String(length))
  }
  if (options.isLast || isRefusedBody) lines.push('connection', 'close')
  outgoing.writeHead(status, lines)
  if (isWhole) {
    const content = hasNoBody ? undefined : body
    exchange.sent = content?.byteLength ?? 0
    if (!isRefusedBody) {
      end(outgoing, content)
      return
    }
    if (content === undefined) outgoing.flushHeaders()
    else outgoing.write(content)
  } else if (hasNoBody) {
    outgoing.flushHeaders()
  } else {
    await stream(exchange, outgoing, body)
    if (length !== undefined && exchange.sent !== length) throw new Error('the body is not whole')
  }
  if (isRefusedBody) await linger(exchange)
  outgoing.end()
}

/** Head and a small body in one write: that is half of the work for a small answer. */
function end(outgoing: ServerResponse, content: Uint8Array | undefined): void {
  if (content === undefined || content.byteLength === 0) outgoing.end()
  else if (content.byteLength > smallAnswer) outgoing.end(content)
  else {
    const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength)
    outgoing.end(bytes.toString('latin1'), 'latin1')
  }
}

async function stream(
  exchange: Exchange,
  outgoing: ServerResponse,
  body: AsyncIterable<Uint8Array>,
): Promise<void> {
  const take = (chunk: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      if (outgoing.destroyed) {
        reject(new Error('the client has gone'))
        return
      }
      exchange.isWaiting = true
      const gone = (): void => {
        reject(new Error('the client has gone'))
      }
      outgoing.once('close', gone)
      outgoing.write(chunk, (error) => {
        exchange.isWaiting = false
        outgoing.off('close', gone)
        if (error === undefined || error === null) {
          exchange.sent += chunk.byteLength
          resolve()
        } else reject(error)
      })
    })
  if (isSendable(body)) await body.sendTo(take)
  else for await (const chunk of body) await take(chunk)
}

/** Whether nothing of the request's body is left to read. A small rest is read here. */
async function isRead(exchange: Exchange): Promise<boolean> {
  const { incoming, length, invite } = exchange
  if (length === 0 || incoming.complete) return true
  // The client still waits to be asked for the body: it must not come any more.
  if (invite !== undefined || length === undefined || length - exchange.received > smallBody) {
    return false
  }
  await discard(exchange)
  return incoming.complete
}

async function linger(exchange: Exchange): Promise<void> {
  if (exchange.invite === undefined) await discard(exchange)
}

async function discard({ incoming }: Exchange): Promise<void> {
  const timer = new AbortController()
  const ended = new Promise<void>((resolve) => {
    incoming.once('end', resolve)
    incoming.once('close', resolve)
    incoming.once('error', () => resolve())
  })
  incoming.resume()
  const late = setTimeout(lingerMs, undefined, { signal: timer.signal }).catch(() => undefined)
  await Promise.race([ended, late])
  timer.abort()
}
