import { readFile } from 'node:fs/promises'
import { type Running, startKatman } from './program.ts'

/** The calls that change a file system, and `fsync`; those an architecture lacks are left out (`?`). */
const changes = [
  ...(['rename', 'renameat', 'renameat2', 'link', 'linkat', 'unlink', 'unlinkat'] as const),
  ...(['mkdir', 'mkdirat', 'rmdir', 'fsync', 'ftruncate', 'pwrite64', 'pwritev'] as const),
] as const
export type Change = (typeof changes)[number]

/** One call of one thread: the `count`-th of its kind. */
export interface Point {
  readonly call: Change
  readonly count: number
}

/** Runs a command to its end under strace, and lists the calls by which it changed files. */
export async function findPoints(
  root: string,
  words: readonly string[],
  log: string,
): Promise<readonly Point[]> {
  const all = changes.map((call) => `?${call}`).join()
  const { exitCode, stderr } = await startTraced(root, words, log, ['-e', `trace=${all}`]).finished
  if (exitCode === null || exitCode > 1) throw new Error(`${words.join(' ')}: ${stderr}`)
  const most = new Map<Change, number>()
  const seen = new Map<string, number>()
  for (const line of (await readFile(log, 'utf8')).split('\n')) {
    const [, thread = '', name = ''] = /^(\d+) +(\w+)\(/.exec(line) ?? []
    const call = changes.find((change) => change === name)
    if (call === undefined) continue
    const count = (seen.get(`${thread} ${call}`) ?? 0) + 1
    seen.set(`${thread} ${call}`, count)
    most.set(call, Math.max(count, most.get(call) ?? 0))
  }
  return [...most].flatMap(([call, last]) =>
    Array.from({ length: last }, (_, index) => ({ call, count: index + 1 })),
  )
}

/** Runs a command that is killed where it would make that call, or whose call fails. */
export function startInjected(
  root: string,
  words: readonly string[],
  { call, count }: Point,
  what: 'signal=KILL' | `error=E${string}`,
): Running {
  const injected = ['-e', `trace=${call}`, '-e', `inject=${call}:${what}:when=${count}`]
  return startTraced(root, words, '/dev/null', injected)
}

function startTraced(
  root: string,
  words: readonly string[],
  log: string,
  options: readonly string[],
): Running {
  const under = ['/usr/bin/strace', '-f', '-qq', '-e', 'signal=none', '-o', log, ...options]
  return startKatman(root, words, { under })
}

/** Does a job for each item, two at a time. */
export async function twoAtOnce<T>(
  items: readonly T[],
  job: (item: T, index: number) => Promise<void>,
): Promise<void> {
  const rest = items.entries()
  const lane = async (): Promise<void> => {
    for (const [index, item] of rest) await job(item, index)
  }
  await Promise.all([lane(), lane()])
}
