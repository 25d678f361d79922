import { CommandFailure } from '../failure.ts'
import type { Output } from '../output.ts'

const maxInputBytes = 1024 * 1024

/** Reads all of standard input as text, at most 1 MiB. */
export async function readStdin(stdin: NodeJS.ReadStream): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk as Uint8Array)
    size += bytes.byteLength
    if (size > maxInputBytes) break
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Asks and reads one line. Throws the signal's reason. */
export async function readLine(
  stdin: NodeJS.ReadStream,
  output: Output,
  question: string,
  signal?: AbortSignal,
): Promise<string> {
  output.write(question)
  return (await readKeys(stdin, signal)).trim()
}

/**
 * Asks and reads one line that the terminal does not show; Ctrl-D ends it. Throws the signal's reason, and for
 * Ctrl-C, which is no signal here, a failure with exit code 130.
 */
export async function readHidden(
  stdin: NodeJS.ReadStream,
  output: Output,
  question: string,
  signal?: AbortSignal,
): Promise<string> {
  output.write(question)
  stdin.setRawMode(true)
  try {
    return await readKeys(stdin, signal)
  } finally {
    stdin.setRawMode(false)
    output.write('\n')
  }
}

/** Reads up to the end of a line and leaves what comes behind it, and the stream itself, for the next question. */
async function readKeys(
  stdin: NodeJS.ReadStream,
  signal: AbortSignal | undefined,
): Promise<string> {
  signal?.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let text = ''
  const end = (): void => resolve(text)
  const abort = (): void => reject(signal?.reason)
  const take = (chunk: Buffer | string): void => {
    const keys = Array.from(String(chunk))
    for (const [at, key] of keys.entries()) {
      if (key === '\r' || key === '\n') {
        const rest = keys.slice(at + 1).join('')
        stdin.pause().off('data', take)
        if (rest !== '') stdin.unshift(Buffer.from(rest))
        return resolve(text)
      }
      // A terminal in raw mode hands these on.
      if (key === '\u0003') return reject(new CommandFailure('', { exitCode: 130 }))
      if (key === '\u0004') return resolve('')
      if (key === '\u007f') text = Array.from(text).slice(0, -1).join('')
      else if (text.length < maxInputBytes) text += key
    }
  }
  stdin.on('data', take).once('end', end).once('error', reject)
  signal?.addEventListener('abort', abort, { once: true })
  stdin.resume()
  try {
    return await promise
  } finally {
    stdin.pause()
    stdin.off('data', take).off('end', end).off('error', reject)
    signal?.removeEventListener('abort', abort)
  }
}
