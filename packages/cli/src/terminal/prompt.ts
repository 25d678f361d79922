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

/** Asks and reads one line. */
export async function readLine(
  stdin: NodeJS.ReadStream,
  output: Output,
  question: string,
): Promise<string> {
  output.write(question)
  return (await readKeys(stdin)).trim()
}

/** Asks and reads one line that the terminal does not show. Empty when it was broken off. */
export async function readHidden(
  stdin: NodeJS.ReadStream,
  output: Output,
  question: string,
): Promise<string> {
  output.write(question)
  stdin.setRawMode(true)
  try {
    return await readKeys(stdin)
  } finally {
    stdin.setRawMode(false)
    output.write('\n')
  }
}

/** Reads up to the end of a line and leaves what comes behind it, and the stream itself, for the next question. */
function readKeys(stdin: NodeJS.ReadStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const finish = (result: string): void => {
      stdin.pause()
      stdin.off('data', take).off('end', end).off('error', reject)
      resolve(result)
    }
    const end = (): void => finish(text)
    const take = (chunk: Buffer | string): void => {
      const keys = String(chunk)
      for (const [at, key] of Array.from(keys).entries()) {
        if (key === '\r' || key === '\n') {
          const rest = Array.from(keys)
            .slice(at + 1)
            .join('')
          finish(text)
          if (rest !== '') stdin.unshift(Buffer.from(rest))
          return
        }
        // Ctrl-C and Ctrl-D, which a terminal in raw mode hands on.
        if (key === '\u0003' || key === '\u0004') {
          finish('')
          return
        }
        if (key === '\u007f') text = text.slice(0, -1)
        else if (text.length < maxInputBytes) text += key
      }
    }
    stdin.on('data', take).once('end', end).once('error', reject)
    stdin.resume()
  })
}
