import { addAbortSignal } from 'node:stream'
import type { Context } from './context.ts'

/** Standard input for who reads all of it: a stopped program does not wait for what may never come. */
export function standardInput({
  stdin,
  signal,
}: Pick<Context, 'stdin' | 'signal'>): NodeJS.ReadStream {
  signal.throwIfAborted()
  return addAbortSignal(signal, stdin)
}
