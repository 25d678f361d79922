import { runProgram } from '../../packages/cli/src/main.ts'

export interface ProgramRun {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command of the program in this process, as in a terminal. */
export async function runInTerminal(root: string, words: readonly string[]): Promise<ProgramRun> {
  const written = { stdout: '', stderr: '' }
  const output = (name: 'stdout' | 'stderr') => ({
    write(text: string | Uint8Array) {
      written[name] += typeof text === 'string' ? text : Buffer.from(text).toString('utf8')
    },
    isTerminal: true,
    columns: 120,
  })
  const exitCode = await runProgram(words, {
    program: 'katman',
    env: { HOME: root, DOCKER_CONFIG: `${root}/docker`, NO_COLOR: '1' },
    root,
    stdout: output('stdout'),
    stderr: output('stderr'),
    get stdin(): NodeJS.ReadStream {
      throw new Error('these commands read nothing')
    },
    signal: new AbortController().signal,
    now: () => new Date('2026-02-03T04:05:06Z'),
    stopGently: () => undefined,
  })
  return { exitCode, ...written }
}
