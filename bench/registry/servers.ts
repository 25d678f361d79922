import { execFileSync, spawn } from 'node:child_process'
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { findFreePort } from '../../test/peers/process.ts'
import { releaseProgram } from '../report.ts'

/** A registry that is measured, with a fresh folder. */
export interface BenchServer extends AsyncDisposable {
  readonly kind: ServerKind
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  readonly pid: number
  /** Where its content lies. */
  readonly data: string
  /** From its start to its first answer. */
  readonly startMs: number
}

export type ServerKind = 'katman' | 'docker-registry'

export interface StartOptions {
  /** The folder in which its own is made. */
  readonly place: string
  /** The content of an earlier server; it stays when this one ends. */
  readonly data?: string
}

export async function startServer(kind: ServerKind, options: StartOptions): Promise<BenchServer> {
  const folder = mkdtempSync(path.join(options.place, `${kind}-`))
  const data = options.data ?? path.join(folder, 'data')
  mkdirSync(data, { recursive: true })
  const port = await findFreePort()
  const url = `http://127.0.0.1:${port}`
  const [program = '', ...words] = commandOf(kind, { folder, data, port })
  const logFile = path.join(folder, 'log')
  const log = openSync(logFile, 'a')
  const started = performance.now()
  const child = spawn(program, words, { stdio: ['ignore', log, log] })
  closeSync(log)
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
  })
  while (!(await answers(url))) {
    if (child.exitCode !== null) throw new Error(`${kind} ended: ${readFileSync(logFile, 'utf8')}`)
    await delay(2)
  }
  return {
    kind,
    url,
    pid: child.pid ?? -1,
    data,
    startMs: performance.now() - started,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await ended
      clearTimeout(timer)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export function versionOf(kind: ServerKind): string {
  if (kind === 'katman')
    return `${output(process.execPath, katmanProgram(), '--version')} on Node ${process.version}`
  return `docker-registry ${output('dpkg-query', '-W', '-f', '${Version}', 'docker-registry')}`
}

function commandOf(
  kind: ServerKind,
  { folder, data, port }: { readonly folder: string; readonly data: string; readonly port: number },
): readonly string[] {
  if (kind === 'katman') {
    const serve = ['registry', 'serve', '--data', data, '--listen', `127.0.0.1:${port}`, '--open']
    return [process.execPath, katmanProgram(), ...serve]
  }
  const config = path.join(folder, 'config.yml')
  const lines = [
    'version: 0.1',
    'log: { level: warn, accesslog: { disabled: true } }',
    `storage: { filesystem: { rootdirectory: ${data} }, delete: { enabled: true }, cache: { blobdescriptor: inmemory } }`,
    `http: { addr: "127.0.0.1:${port}" }`,
  ]
  writeFileSync(config, `${lines.join('\n')}\n`)
  return ['/usr/bin/docker-registry', 'serve', config]
}

/** The release, or the program that BENCH_PROGRAM names. */
function katmanProgram(): string {
  return process.env['BENCH_PROGRAM'] ?? releaseProgram()
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/v2/`)
    await response.arrayBuffer()
    return response.ok
  } catch {
    return false
  }
}

function output(program: string, ...words: readonly string[]): string {
  return execFileSync(program, words, { encoding: 'utf8' }).trim()
}
