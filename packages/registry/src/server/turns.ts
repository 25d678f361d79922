import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Clients of a registry send a request after the answer to the last; what has more than this waiting on a connection is none. */
const mostWaiting = 100

/** The order of requests that one connection sends without waiting for answers. */
export interface Turns {
  /** Whether one more may wait on this connection. */
  isRoom(connection: Socket): boolean
  /** Resolves when all before it are answered: true, or false when the connection has ended. */
  wait(incoming: IncomingMessage, outgoing: ServerResponse): Promise<boolean>
}

/**
 * An answer that cannot leave yet would be held in memory with all it has open, however many there are. So one is begun when the
 * one before has left.
 */
export function createTurns(): Turns {
  const waiting = new WeakMap<Socket, number>()
  const change = (connection: Socket, by: number): void => {
    waiting.set(connection, (waiting.get(connection) ?? 0) + by)
  }
  return {
    isRoom: (connection) => (waiting.get(connection) ?? 0) < mostWaiting,
    async wait(incoming, outgoing) {
      const connection = incoming.socket
      change(connection, 1)
      await new Promise<void>((resolve) => {
        // Node gives an answer its connection when the one before has left; of an end it tells only the request.
        outgoing.once('socket', () => resolve())
        outgoing.once('close', () => resolve())
        incoming.once('close', () => resolve())
      })
      change(connection, -1)
      return outgoing.socket !== null
    },
  }
}
