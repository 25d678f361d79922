import { once } from 'node:events'
import { CommandFailure } from './failure.ts'

/** One output of the program, as commands see it. */
export interface Output {
  write(text: string | Uint8Array): void
  /** Resolves when there is room for more; absent when there always is. For who writes much. */
  drained?(): Promise<void>
  readonly isTerminal: boolean
  /** Width of the terminal; 0 when there is none. */
  readonly columns: number
}

/** An output that belongs to the process. */
export interface ProcessOutput extends Output {
  /** Resolves when all that was written has arrived, or cannot. */
  flushed(): Promise<void>
}

/** What a shell reports of a program that a closed pipe ended. */
const closedPipeCode = 141

/**
 * Wraps a stream of the process. `onFailure` hears once that nothing can be written any more: without a message when
 * the reader has gone, as that ends other programs, too.
 */
export function processOutput(
  stream: NodeJS.WriteStream,
  name: string,
  onFailure: (failure: CommandFailure) => void,
): ProcessOutput {
  let failed = false
  const fail = (error: unknown): void => {
    if (failed) return
    failed = true
    onFailure(failureOf(error, name))
  }
  stream.on('error', fail)
  return {
    write(text) {
      if (failed) return
      try {
        stream.write(text)
      } catch (error) {
        fail(error)
      }
    },
    async drained() {
      if (!failed && stream.writableNeedDrain) await once(stream, 'drain')
    },
    async flushed() {
      if (failed) return
      await new Promise<void>((resolve) => {
        stream.write('', () => resolve())
      })
    },
    isTerminal: stream.isTTY,
    columns: stream.isTTY ? stream.columns : 0,
  }
}

/** In the words Go has, and so docker. */
function failureOf(error: unknown, name: string): CommandFailure {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
  if (code === 'EPIPE') return new CommandFailure('', { exitCode: closedPipeCode, cause: error })
  const reasons: Readonly<Record<string, string>> = {
    ENOSPC: 'no space left on device',
    EDQUOT: 'disk quota exceeded',
    EIO: 'input/output error',
    EBADF: 'bad file descriptor',
    EFBIG: 'file too large',
  }
  const reason = reasons[String(code)] ?? (error instanceof Error ? error.message : String(error))
  return new CommandFailure(`write /dev/${name}: ${reason}`, { cause: error })
}
