import { spawn } from 'node:child_process'

/** What a finished program left behind. */
export interface CommandResult {
  readonly stdout: string
  readonly stderr: string
  /** The exit status; -1 when a signal ended the program. */
  readonly exitCode: number
}

/** How to start the program. */
export interface CommandOptions {
  readonly cwd?: string
  /** The whole environment; default: this process's. */
  readonly env?: NodeJS.ProcessEnv
  /** Written to standard input, which is then closed; default: nothing. */
  readonly stdin?: string
  /** The program is killed after this time; default 60,000. */
  readonly timeoutMs?: number
}

/** Runs a program without a shell and without a terminal, and returns what it printed. */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const child = spawn(program, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: options.env ?? process.env,
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: options.timeoutMs ?? 60_000,
    killSignal: 'SIGKILL',
  })
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
  // A program may end without reading its input: that is its right.
  child.stdin.on('error', () => {})
  child.stdin.end(options.stdin ?? '')
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve(code ?? -1))
  })
  return {
    stdout: Buffer.concat(stdout).toString('utf8'),
    stderr: Buffer.concat(stderr).toString('utf8'),
    exitCode,
  }
}

/** Like `runCommand`, but a non-zero exit throws with what the program said. */
export async function runChecked(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const result = await runCommand(program, args, options)
  if (result.exitCode !== 0) {
    const said = `${result.stdout}${result.stderr}`.trim()
    throw new Error(`${program} ${args.join(' ')} ended with ${result.exitCode}: ${said}`)
  }
  return result
}
