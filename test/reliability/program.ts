import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

const program =
  process.env['KATMAN_TEST_PROGRAM'] ??
  path.resolve(import.meta.dirname, '../../packages/cli/bin/katman.js')

export interface Finished {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
}

/** A running katman. */
export interface Running {
  readonly child: ChildProcess
  readonly finished: Promise<Finished>
}

/** A folder on tmpfs where there is one: these tests write much and nothing of it is worth keeping. */
export async function temporaryFolder(): Promise<string> {
  const parent = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
  return mkdtemp(path.join(parent, 'katman-reliability-'))
}

export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
}

/** How to start katman. */
export interface StartOptions {
  /** The program and its arguments that katman is started by. */
  readonly under?: readonly string[]
  /** The user and group that run it. Default: this process's. */
  readonly user?: number
  /** Variables of the environment, over the usual ones; undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** Starts katman as a process of its own on a store of the test. */
export function startKatman(
  root: string,
  words: readonly string[],
  { under = [], user, env }: StartOptions = {},
): Running {
  const [file = '', ...rest] = [...under, process.execPath, program, ...words]
  const usual = { PATH: process.env['PATH'], HOME: root, KATMAN_ROOT: root, DOCKER_CONFIG: root }
  const child = spawn(file, rest, {
    env: { ...usual, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(user === undefined ? {} : { uid: user, gid: user }),
  })
  const text = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => (text.stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (text.stderr += chunk.toString()))
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (exitCode, signal) => resolve({ ...text, exitCode, signal }))
  })
  return { child, finished }
}

/** Runs katman to its end. */
export async function katman(root: string, ...words: readonly string[]): Promise<Finished> {
  return startKatman(root, words).finished
}
