import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { PassThrough } from 'node:stream'
import { runProgram } from '../../packages/cli/src/main.ts'

export interface ProgramResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

interface RunChoices {
  readonly env?: Readonly<Record<string, string>>
  /** What is typed or piped in. Default: nothing. */
  readonly stdin?: string | Uint8Array
  /** Input and outputs are a terminal. Default false. */
  readonly isTerminal?: boolean
  /** Default `katman`. */
  readonly program?: string
  /** Ends the run: what Ctrl-C does. */
  readonly signal?: AbortSignal
  /** Sees all that is written, as it is written. */
  readonly onWrite?: (text: string) => void
}

/** The program in this process, with a home and a store of its own. */
export interface TestProgram extends AsyncDisposable {
  readonly folder: string
  run(...words: readonly string[]): Promise<ProgramResult>
  runWith(choices: RunChoices, ...words: readonly string[]): Promise<ProgramResult>
}

export async function openProgram(): Promise<TestProgram> {
  const folder = await mkdtemp(path.join(tmpdir(), 'katman-program-'))
  const root = path.join(folder, 'store')

  async function runWith(choices: RunChoices, ...words: readonly string[]): Promise<ProgramResult> {
    const { isTerminal = false, program = 'katman' } = choices
    const written = { stdout: '', stderr: '' }
    const output = (name: 'stdout' | 'stderr') => ({
      write(text: string | Uint8Array) {
        written[name] += Buffer.from(text).toString()
        choices.onWrite?.(written[name])
      },
      isTerminal,
      columns: isTerminal ? 100 : 0,
    })
    const env = {
      HOME: folder,
      DOCKER_CONFIG: path.join(folder, 'docker'),
      PATH: process.env['PATH'],
    }
    const exitCode = await runProgram(words, {
      program,
      env: { ...env, ...choices.env },
      root,
      stdout: output('stdout'),
      stderr: output('stderr'),
      stdin: typed(choices.stdin ?? '', isTerminal),
      signal: choices.signal ?? new AbortController().signal,
      now: () => new Date('2026-02-03T04:05:06Z'),
      stopGently: () => undefined,
    })
    return { exitCode, ...written }
  }

  return {
    folder,
    run: (...words) => runWith({}, ...words),
    runWith,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

/** Standard input that holds a text; as a terminal it can be made silent. */
function typed(text: string | Uint8Array, isTTY: boolean): NodeJS.ReadStream {
  const stream = new PassThrough()
  // A terminal stays open behind what was typed.
  if (isTTY) stream.write(text)
  else stream.end(text)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more than this of a terminal is used
  return Object.assign(stream, { isTTY, setRawMode: () => stream }) as unknown as NodeJS.ReadStream
}
