import { constants, open } from 'node:fs'
import { Socket } from 'node:net'
import { addAbortSignal } from 'node:stream'
import { promisify } from 'node:util'
import type { Bytes } from '@katman/oci'
import type { CallOptions } from '@katman/transfer'

/**
 * The bytes of a named pipe. Opening one the plain way blocks a thread until somebody writes, and then not even a signal ends the
 * program; this way the wait can be stopped. Throws errors of the system.
 */
export async function openPipe(file: string, { signal }: CallOptions): Promise<Bytes> {
  const fd = await promisify(open)(file, constants.O_RDONLY | constants.O_NONBLOCK)
  const socket = new Socket({ fd, readable: true, writable: false })
  return signal === undefined ? socket : addAbortSignal(signal, socket)
}
