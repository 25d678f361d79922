import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'

/** The calls that change a file system. Those an architecture lacks are left out (`?`). */
const changes = [
  ...(['rename', 'renameat', 'renameat2', 'link', 'linkat', 'unlink', 'unlinkat'] as const),
  ...([
    'mkdir',
    'mkdirat',
    'rmdir',
    'ftruncate',
    'pwrite64',
    'pwritev',
    'write',
    'writev',
  ] as const),
  ...(['fsync', 'fdatasync'] as const),
] as const

/** One call of one thread: the `count`-th of its kind since the trace began. */
export interface Point {
  readonly call: (typeof changes)[number]
  readonly count: number
}

export interface Trace {
  /** Lets go of the process, if it still runs. The lines of the trace. */
  stop(): Promise<readonly string[]>
}

/** Follows all threads of a running process; resolves when it holds them. */
export async function traceProcess(
  pid: number,
  log: string,
  options: readonly string[],
): Promise<Trace> {
  const words = ['-f', '-p', String(pid), '-y', '-s', '24', '-e', 'signal=none', '-o', log]
  const strace = spawn('/usr/bin/strace', [...words, ...options], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = new Promise<void>((resolve) => {
    strace.once('close', () => resolve())
  })
  await new Promise<void>((resolve, reject) => {
    let said = ''
    strace.once('error', reject)
    strace.once('close', () => reject(new Error(`strace: ${said}`)))
    strace.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
      if (said.includes('attached')) resolve()
    })
  })
  return {
    async stop() {
      strace.kill('SIGINT')
      await ended
      return (await readFile(log, 'utf8')).split('\n')
    },
  }
}

/** Follows the calls that change files and the answers that are sent. */
export const traceChanges: readonly string[] = [
  '-e',
  `trace=${changes.map((call) => `?${call}`).join()},openat`,
]

/** Kills the process where it would make that call. */
export function killAt({ call, count }: Point): readonly string[] {
  return ['-e', `trace=${call}`, '-e', `inject=${call}:signal=KILL:when=${count}`]
}

/** Every change of a file under `folder`, as the points where a process can be killed. */
export function pointsOf(lines: readonly string[], folder: string): readonly Point[] {
  const seen = new Map<string, number>()
  const found = new Map<string, Point>()
  for (const line of lines) {
    const [, thread = '', name = ''] = /^(\d+) +(\w+)\(/.exec(line) ?? []
    const call = changes.find((change) => change === name)
    if (call === undefined) continue
    const count = (seen.get(`${thread} ${call}`) ?? 0) + 1
    seen.set(`${thread} ${call}`, count)
    if (line.includes(folder)) found.set(`${call} ${count}`, { call, count })
  }
  return [...found.values()]
}
