import {
  type ChildProcessWithoutNullStreams,
  execFileSync,
  spawn,
  spawnSync,
} from 'node:child_process'
import { openSync, closeSync } from 'node:fs'
import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openMemoryStorage, type RegistryServer, serveRegistry } from '@katman/registry'

const program = path.resolve(import.meta.dirname, '../../packages/cli/bin/katman.js')
let folder: string
let registry: RegistryServer
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'katman-process-'))
  registry = await serveRegistry({ storage: await openMemoryStorage() })
})
afterEach(async () => {
  await registry.close()
  await rm(folder, { recursive: true, force: true })
})

const environment = (): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'],
  HOME: folder,
  KATMAN_ROOT: path.join(folder, 'store'),
})

function start(...words: readonly string[]): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [program, ...words], { env: environment() })
}

interface Ended {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly stderr: string
}

function ended(child: ChildProcessWithoutNullStreams): Promise<Ended> {
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  child.stdin.on('error', () => undefined)
  return new Promise((resolve) => {
    child.on('close', (exitCode, signal) => resolve({ exitCode, signal, stderr }))
  })
}

/** Writes more than a pipe holds: when that has gone, the program reads. */
function writeMuch(child: ChildProcessWithoutNullStreams, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    child.stdin.write(bytes, () => resolve())
  })
}

/** The beginning of an archive whose one file is never whole. */
function openTar(): Buffer {
  const header = Buffer.alloc(512)
  header.write('big', 0)
  header.write('0000644\0', 100)
  header.write('0000000\0', 108)
  header.write('0000000\0', 116)
  header.write('00077777777\0', 124)
  header.write('00000000000\0', 136)
  header.write('        0', 148)
  header.write('ustar\x0000', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([header, Buffer.alloc(1024 * 1024)])
}

describe('one SIGINT', () => {
  it('ends a load whose input has stopped coming', async () => {
    const child = start('load')
    const end = ended(child)
    await writeMuch(child, openTar())
    child.kill('SIGINT')
    expect(await end).toEqual({ exitCode: 130, signal: null, stderr: '' })
    const left = await readdir(path.join(folder, 'store'), { recursive: true })
    expect(left.filter((name) => /^(?:blobs|refs|images|leases)\/.*\/./.test(name))).toEqual([])
  })

  it('ends a login that waits for the end of its password', async () => {
    const child = start('login', '-u', 'alice', '--password-stdin', registry.host)
    const end = ended(child)
    await writeMuch(child, Buffer.alloc(256 * 1024, 'x'))
    child.kill('SIGINT')
    expect(await end).toEqual({ exitCode: 130, signal: null, stderr: '' })
  })

  it('is what SIGTERM is, with its own exit code', async () => {
    const child = start('login', '-u', 'alice', '--password-stdin', registry.host)
    const end = ended(child)
    await writeMuch(child, Buffer.alloc(256 * 1024, 'x'))
    child.kill('SIGTERM')
    expect(await end).toEqual({ exitCode: 143, signal: null, stderr: '' })
  })
})

describe('one SIGTERM', () => {
  it.each([
    ['load', (pipe: string) => ['load', '-i', pipe]],
    ['import', (pipe: string) => ['import', pipe]],
    ['cp', (pipe: string) => ['cp', `docker-archive:${pipe}`, 'store:app:1']],
  ])('ends a %s from a pipe that nobody writes to', async (_, words) => {
    const pipe = path.join(folder, 'pipe')
    execFileSync('/usr/bin/mkfifo', [pipe])
    const child = start(...words(pipe))
    const end = ended(child)
    await waitUntilOpen(child.pid ?? 0, pipe)
    child.kill('SIGTERM')
    expect(await end).toEqual({ exitCode: 143, signal: null, stderr: '' })
  })
})

describe('an older Node that starts the pinned one', () => {
  const older = ['/usr/bin/node', '/usr/local/bin/node'].find((file) => isOlder(file))

  it.skipIf(older === undefined)('hands on signals and the exit code', async () => {
    const run = (...words: readonly string[]): ChildProcessWithoutNullStreams =>
      spawn(older ?? '', [program, ...words], { env: environment() })
    const child = run('login', '-u', 'alice', '--password-stdin', registry.host)
    const end = ended(child)
    await writeMuch(child, Buffer.alloc(256 * 1024, 'x'))
    child.kill('SIGINT')
    expect(await end).toEqual({ exitCode: 130, signal: null, stderr: '' })
    expect((await ended(run('pull', '--nonsense'))).exitCode).toBe(125)
  })
})

/** Linux tells which files a process has open; one that waits in open() has it not yet. */
async function waitUntilOpen(pid: number, file: string): Promise<void> {
  await expect
    .poll(
      async () => {
        const own = `/proc/${pid}/fd`
        const names = await readdir(own)
        const targets = await Promise.all(
          names.map((name) => readlink(path.join(own, name)).catch(() => '')),
        )
        return targets.includes(file)
      },
      { timeout: 10_000, interval: 20 },
    )
    .toBe(true)
}

function isOlder(file: string): boolean {
  const { stdout } = spawnSync(file, ['-p', 'process.versions.node'], { encoding: 'utf8' })
  return typeof stdout === 'string' && Number.parseInt(stdout, 10) < 24
}

describe('an output that takes nothing', () => {
  it('ends the program quietly when its reader has gone, and not with success', async () => {
    for (const words of [['--help'], ['images'], ['pull', `${registry.host}/none`]]) {
      const child = start(...words)
      child.stdout.destroy()
      expect(await ended(child), words.join(' ')).toEqual({
        exitCode: 141,
        signal: null,
        stderr: '',
      })
    }
  })

  it('leaves a store that is whole, and the next pull does the work', async () => {
    const image = `${registry.host}/team/app:1`
    const finish = async (words: readonly string[], input?: Buffer): Promise<Ended> => {
      const child = start(...words)
      child.stdin.end(input)
      child.stdout.resume()
      return ended(child)
    }
    const good = { exitCode: 0, signal: null, stderr: '' }
    expect(await finish(['import', '-', image], Buffer.alloc(10240))).toEqual(good)
    expect(await finish(['push', image])).toEqual(good)
    expect(await finish(['rmi', image])).toEqual(good)
    const child = start('pull', image)
    child.stdout.destroy()
    expect(await ended(child)).toEqual({ exitCode: 141, signal: null, stderr: '' })
    expect(await finish(['fsck', '--hash'])).toEqual(good)
    expect(await finish(['pull', image])).toEqual(good)
    expect(await finish(['inspect', image])).toEqual(good)
  })

  it.skipIf(process.platform !== 'linux')('is told in one line when it is full', async () => {
    for (const words of [['--help'], ['images'], ['pull', `${registry.host}/none`]]) {
      const full = openSync('/dev/full', 'w')
      const child = spawn(process.execPath, [program, ...words], {
        env: environment(),
        stdio: ['ignore', full, 'pipe'],
      })
      closeSync(full)
      let stderr = ''
      child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
      const exitCode = await new Promise((resolve) => child.on('close', resolve))
      expect(stderr, words.join(' ')).toBe('write /dev/stdout: no space left on device\n')
      expect(exitCode).toBe(1)
    }
  })
})
