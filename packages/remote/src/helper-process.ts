import type { ChildProcessByStdio } from 'node:child_process'
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import path from 'node:path'
import type { Readable, Writable } from 'node:stream'

/** Where helpers are looked for, and how long one may take. */
export interface HelperSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Ends a helper that runs. */
  readonly signal?: AbortSignal | undefined
  /** Default 2 minutes: a helper may ask its user for something. */
  readonly timeoutMs?: number | undefined
}

/** How a helper ended. */
export interface HelperOutcome {
  /** Its exit code; null when a signal ended it. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** Why it was ended, if it was. */
  readonly trouble: string | undefined
}

const maxOutputBytes = 64 * 1024
const defaultTimeoutMs = 2 * 60_000

/** Finds a program in the absolute folders of `PATH`, never in the current one. */
export async function findProgram(
  program: string,
  searchPath: string,
): Promise<string | undefined> {
  for (const directory of searchPath.split(path.delimiter)) {
    if (!path.isAbsolute(directory)) continue
    const file = path.join(directory, program)
    try {
      await access(file, constants.X_OK)
      return file
    } catch {
      // The next folder may have it.
    }
  }
  return undefined
}

/**
 * Runs a helper with `input` as its standard input. One that takes too long or says too much is killed. Throws the signal's
 * reason, and Node's error when the program cannot be started.
 */
export async function runHelper(
  file: string,
  action: string,
  input: string,
  { env, signal, timeoutMs = defaultTimeoutMs }: HelperSurroundings,
): Promise<HelperOutcome> {
  signal?.throwIfAborted()
  const { spawn } = process.getBuiltinModule('node:child_process')
  const child = spawn(file, [action], {
    env: { ...env },
    cwd: path.dirname(file),
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let trouble: string | undefined
  const end = (why?: string): void => {
    trouble ??= why
    child.kill('SIGKILL')
    // What the helper has started may hold its pipes open for ever.
    child.stdout.destroy()
    child.stderr.destroy()
  }
  const timer = setTimeout(() => end(`it did not answer in ${timeoutMs / 1000} s`), timeoutMs)
  const onAbort = (): void => end()
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    const [stdout, stderr] = [child.stdout, child.stderr].map((stream) =>
      collected(stream, () => end('it says too much')),
    )
    const code = await ending(child, input)
    signal?.throwIfAborted()
    return { code, stdout: stdout?.() ?? '', stderr: stderr?.() ?? '', trouble }
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}

function ending(
  child: ChildProcessByStdio<Writable, Readable, Readable>,
  input: string,
): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
    // A helper that does not read its input is no failure of ours.
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
  })
}

/** Gathers what a stream says, up to the limit. */
function collected(stream: Readable, onTooMuch: () => void): () => string {
  const chunks: Buffer[] = []
  let size = 0
  stream.on('error', () => undefined)
  stream.on('data', (chunk: Buffer) => {
    size += chunk.byteLength
    if (size > maxOutputBytes) onTooMuch()
    else chunks.push(chunk)
  })
  return () => Buffer.concat(chunks).toString().trim()
}
