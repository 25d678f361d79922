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
  let text = ''
  for await (const chunk of stdin) {
    text += String(chunk)
    if (text.includes('\n') || text.length > maxInputBytes) break
  }
  return (text.split('\n')[0] ?? '').trim()
}

/** Asks and reads one line that the terminal does not show. */
export async function readHidden(
  stdin: NodeJS.ReadStream,
  output: Output,
  question: string,
): Promise<string> {
  output.write(question)
  stdin.setRawMode(true)
  try {
    let text = ''
    for await (const chunk of stdin) {
      for (const character of String(chunk)) {
        if (character === '\r' || character === '\n') return text
        if (character === '\u0003' || character === '\u0004') return ''
        text = character === '\u007f' ? text.slice(0, -1) : text + character
      }
    }
    return text
  } finally {
    stdin.setRawMode(false)
    output.write('\n')
  }
}
