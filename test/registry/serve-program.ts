import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

const program = path.resolve(import.meta.dirname, '../../packages/cli/bin/katman.js')

/** `katman registry serve` in a process of its own. */
export interface ServeProcess extends AsyncDisposable {
  readonly child: ChildProcessWithoutNullStreams
  /** `http://127.0.0.1:40123` */
  readonly url: string
  /** The lines of its log so far. */
  lines(): readonly LogLine[]
  /** Resolves with the first line that fits, also one that was there already. */
  line(fits: (line: LogLine) => boolean): Promise<LogLine>
  /** Resolves with the first group of the pattern as soon as it stands on standard error. */
  errorOutput(pattern: RegExp): Promise<string>
  readonly ended: Promise<Ended>
}

export type LogLine = Readonly<Record<string, unknown>>

export interface Ended {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  /** A shell's words before the program: `ulimit -f 1024`. */
  readonly before?: string
}

/** Starts it with these words on a free port, open for everybody, and resolves when it listens. */
export async function serve(
  words: readonly string[],
  options: RunOptions = {},
): Promise<ServeProcess> {
  const given = words.includes('--listen') ? words : ['--listen', '127.0.0.1:0', ...words]
  const { child, ended, onLine, lines, errors } = run(
    given.includes('--open=false') ? given : [...given, '--open'],
    options,
  )
  const line: ServeProcess['line'] = (fits) =>
    new Promise((resolve, reject) => {
      const known = lines().find(fits)
      if (known !== undefined) resolve(known)
      onLine((one) => {
        if (fits(one)) resolve(one)
      })
      void ended.then(({ stderr }) => reject(new Error(`the server ended: ${stderr}`)))
    })
  const listening = await line(({ message }) => String(message).includes(' listens on '))
  return {
    child,
    url: /https?:\/\/[^ ,]+/.exec(String(listening['message']))?.[0] ?? '',
    lines,
    line,
    errorOutput: (pattern) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = pattern.exec(errors())?.[1]
          if (found !== undefined) resolve(found)
        }
        child.stderr.on('data', look)
        look()
      }),
    ended,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** Runs it to its end: for what keeps it from starting. */
export function serveFailing(words: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return run(words, options).ended
}

export async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'katman-serve-'))
  try {
    await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function run(
  words: readonly string[],
  { env = {}, before }: RunOptions,
): {
  readonly child: ChildProcessWithoutNullStreams
  readonly ended: Promise<Ended>
  readonly onLine: (listener: (line: LogLine) => void) => void
  readonly lines: () => readonly LogLine[]
  readonly errors: () => string
} {
  const command = [process.execPath, program, 'registry', 'serve', ...words]
  const [file = '', ...rest] =
    before === undefined ? command : ['/bin/sh', '-c', `${before} && exec "$@"`, 'sh', ...command]
  const child = spawn(file, rest, { env: { PATH: process.env['PATH'], HOME: tmpdir(), ...env } })
  const listeners: ((line: LogLine) => void)[] = []
  const found: LogLine[] = []
  let [stdout, stderr, rest_] = ['', '', '']
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
    const parts = (rest_ + chunk.toString()).split('\n')
    rest_ = parts.pop() ?? ''
    for (const part of parts.filter((text) => text.startsWith('{'))) {
      const line = JSON.parse(part) as LogLine
      found.push(line)
      for (const listener of listeners) listener(line)
    }
  })
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (exitCode, signal) => resolve({ exitCode, signal, stdout, stderr }))
  })
  return {
    child,
    ended,
    onLine: (listener) => void listeners.push(listener),
    lines: () => found,
    errors: () => stderr,
  }
}
