import type { Answer, Fault } from './hostile-registry.ts'

/** The honest answer with other bytes, headers or status. */
export function altered(change: (answer: Answer) => Partial<Answer>): Fault {
  return async ({ honest, send }) => {
    const answer = await honest()
    send({ ...answer, ...change(answer) })
  }
}

/** One bit of the body turned; lengths and digests in the headers stay. */
export function flipped(position: number): Fault {
  return altered(({ body }) => {
    const bytes = Buffer.from(body)
    bytes[position] = (bytes[position] ?? 0) ^ 1
    return { body: bytes }
  })
}

/** The right head, and the connection closed after that many bytes. */
export function cut(after: number): Fault {
  return altered(({ body }) => ({ body: body.subarray(0, after) }))
}

/** The right head, that many bytes, and then a connection that stays open and silent. */
export function stalled(after: number): Fault {
  return async ({ honest, outgoing }) => {
    const { status, headers, body } = await honest()
    outgoing.writeHead(status, headers)
    outgoing.write(body.subarray(0, after))
  }
}

/** A connection reset after that many bytes; before the head when there are none. */
export function reset(after?: number): Fault {
  return async ({ honest, outgoing }) => {
    const { status, headers, body } = await honest()
    if (after === undefined) {
      outgoing.socket?.resetAndDestroy()
      return
    }
    outgoing.writeHead(status, headers)
    outgoing.write(body.subarray(0, after), () => outgoing.socket?.resetAndDestroy())
  }
}

/** Another answer altogether, with an error document. */
export function refusal(
  status: number,
  code: string,
  message = 'said no',
  headers: Readonly<Record<string, string>> = {},
): Fault {
  const body = Buffer.from(JSON.stringify({ errors: [{ code, message, detail: {} }] }))
  return ({ send }) => {
    const length = String(body.byteLength)
    send({
      status,
      headers: { 'content-type': 'application/json', 'content-length': length, ...headers },
      body,
    })
  }
}

export function redirected(location: string | ((path: string) => string), status = 307): Fault {
  return ({ send, path }) => {
    const target = typeof location === 'string' ? location : location(path)
    send({
      status,
      headers: { location: target, 'content-length': '0' },
      body: Buffer.alloc(0),
    })
  }
}

/** The answer without its length: it ends where the connection does. */
export function withoutLength(change: (body: Buffer) => Buffer = (body) => body): Fault {
  return altered(({ headers, body }) => {
    const { 'content-length': _dropped, ...rest } = headers
    return { headers: { ...rest, connection: 'close' }, body: change(body) }
  })
}
