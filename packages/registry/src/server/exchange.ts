import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import type { Bytes } from '@katman/oci'
import { readLength, type RegistryRequest, type RequestNotes } from '../http.ts'
import { forwardedClient, plainAddress } from './trusted-proxies.ts'

const noQuery = new URLSearchParams()

/** One request on its way through the server, and what is counted of it. */
export class Exchange {
  readonly id: string
  readonly method: string
  readonly path: string
  readonly notes: RequestNotes = {}
  readonly startedAt = performance.now()
  readonly peer: string
  readonly client: string
  readonly isSecure: boolean
  readonly incoming: IncomingMessage
  /** Bytes of the body that arrived, and bytes of the answer's body that left. */
  received = 0
  sent = 0
  /** Whether everything waits for the client: for bytes of it, or until it takes some. */
  isWaiting = false
  /** Set when the client waits for a word before it sends the body (`Expect: 100-continue`). */
  invite: (() => void) | undefined
  readonly #search: string
  #query: URLSearchParams | undefined

  constructor(
    incoming: IncomingMessage,
    id: string,
    isTrusted: ((address: string) => boolean) | undefined,
  ) {
    const target = incoming.url ?? '/'
    const mark = target.indexOf('?')
    this.incoming = incoming
    this.id = id
    this.method = incoming.method ?? 'GET'
    this.path = mark === -1 ? target : target.slice(0, mark)
    this.#search = mark === -1 ? '' : target.slice(mark + 1)
    this.peer = plainAddress(incoming.socket.remoteAddress ?? '')
    const isBehind = isTrusted?.(this.peer) === true
    this.client =
      isBehind && isTrusted !== undefined
        ? forwardedClient(textOf(incoming, 'x-forwarded-for'), this.peer, isTrusted)
        : this.peer
    this.isSecure =
      incoming.socket instanceof TLSSocket ||
      (isBehind && textOf(incoming, 'x-forwarded-proto') === 'https')
  }

  get query(): URLSearchParams {
    if (this.#search === '') return noQuery
    this.#query ??= new URLSearchParams(this.#search)
    return this.#query
  }

  header(name: string): string | undefined {
    return textOf(this.incoming, name)
  }

  /** What handlers see. Everything is its own, so that they may show each other a changed copy. */
  get request(): RegistryRequest {
    const readQuery = (): URLSearchParams => this.query
    const readBody = (): Bytes => this.#read()
    return {
      method: this.method,
      path: this.path,
      client: this.client,
      isSecure: this.isSecure,
      notes: this.notes,
      header: (name) => textOf(this.incoming, name),
      get query() {
        return readQuery()
      },
      get body() {
        return readBody()
      },
    }
  }

  /** The length the client announced: 0 without a body, undefined when it comes in pieces. */
  get length(): number | undefined {
    const { headers } = this.incoming
    if (headers['transfer-encoding'] !== undefined) return undefined
    return readLength(headers['content-length']) ?? 0
  }

  async *#read(): AsyncGenerator<Uint8Array> {
    this.invite?.()
    this.invite = undefined
    // A handler that has read enough answers; it does not hang up.
    const chunks: AsyncIterator<Uint8Array> = this.incoming.iterator({ destroyOnReturn: false })
    try {
      for (;;) {
        this.isWaiting = true
        const next = await chunks.next()
        this.isWaiting = false
        if (next.done === true) return
        this.received += next.value.byteLength
        yield next.value
      }
    } finally {
      this.isWaiting = false
      await chunks.return?.()
    }
  }
}

function textOf(incoming: IncomingMessage, name: string): string | undefined {
  const value = incoming.headers[name]
  return typeof value === 'string' ? value : value?.[0]
}
