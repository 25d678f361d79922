import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** A server program of this test run, with a folder of its own. */
export interface PeerProcess {
  readonly directory: string
  readonly pid: number
  /** True until the program has ended. */
  running(): boolean
  /** The last lines of its output, for error messages. */
  log(): Promise<string>
  /** Ends the program (SIGTERM, after `graceMs` SIGKILL) and waits for it. Safe to call twice. */
  stop(graceMs?: number): Promise<void>
}

/**
 * Makes a private folder for one peer. `KATMAN_PEER_DIR` moves all of them to one place, so that CI can end
 * whatever a killed test run left: each folder of a running peer holds its process id in `peer.pid`.
 */
export async function createPeerDirectory(name: string): Promise<string> {
  return mkdtemp(path.join(process.env['KATMAN_PEER_DIR'] ?? tmpdir(), `katman-${name}-`))
}

/** Starts a server program with its output in `directory/log`. */
export async function startPeer(
  directory: string,
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<PeerProcess> {
  const logFile = path.join(directory, 'log')
  const output = openSync(logFile, 'a')
  const child = spawn(program, args, { env, stdio: ['ignore', output, output] })
  closeSync(output)
  const pid = await new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('spawn', () => resolve(child.pid ?? -1))
  })
  const pidFile = path.join(directory, 'peer.pid')
  await writeFile(pidFile, `${pid}\n`)
  const running = (): boolean => child.exitCode === null && child.signalCode === null
  return {
    directory,
    pid,
    running,
    async log() {
      const text = await readFile(logFile, 'utf8')
      return text.split('\n').slice(-15).join('\n')
    },
    async stop(graceMs = 10_000) {
      await endChild(child, running, graceMs)
      await rm(pidFile, { force: true })
    },
  }
}

/** Waits until `ready` is true; throws with the peer's log when it ends or takes too long. */
export async function waitForPeer(
  peer: PeerProcess,
  ready: () => Promise<boolean>,
  timeoutMs = 30_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await ready())) {
    if (!peer.running() || performance.now() > deadline) {
      const log = await peer.log()
      await peer.stop()
      throw new Error(`the peer in ${peer.directory} did not start:\n${log}`)
    }
    await delay(20)
  }
}

/** A loopback port that was free a moment ago. */
export async function findFreePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  return address.port
}

async function endChild(
  child: ChildProcess,
  running: () => boolean,
  graceMs: number,
): Promise<void> {
  if (!running()) return
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
  })
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
  await ended
  clearTimeout(timer)
}
