import { once } from 'node:events'

/** One output of the program, as commands see it. */
export interface Output {
  write(text: string | Uint8Array): void
  /** Resolves when there is room for more; absent when there always is. For who writes much. */
  drained?(): Promise<void>
  readonly isTerminal: boolean
  /** Width of the terminal; 0 when there is none. */
  readonly columns: number
}

/** Wraps a stream of the process. A closed pipe ends the program quietly. */
export function processOutput(stream: NodeJS.WriteStream): Output {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0)
    throw error
  })
  return {
    write: (text) => void stream.write(text),
    async drained() {
      if (stream.writableNeedDrain) await once(stream, 'drain')
    },
    isTerminal: stream.isTTY,
    columns: stream.isTTY ? stream.columns : 0,
  }
}
