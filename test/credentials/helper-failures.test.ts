import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import {
  openMemoryStorage,
  type RegistryServer,
  type RegistryStorage,
  serveRegistry,
} from '@katman/registry'
import { mediaTypes, parseDigest } from '@katman/oci'
import { loadCredentials } from '@katman/remote'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openProgram, type ProgramResult, type TestProgram } from '../program/run-in-process.ts'
import { placeManifest } from '../registry/content.ts'

const program = path.resolve(import.meta.dirname, '../../packages/cli/bin/katman.js')
let katman: TestProgram
let registry: RegistryServer
let storage: RegistryStorage
let bin: string
beforeEach(async () => {
  katman = await openProgram()
  bin = path.join(katman.folder, 'bin')
  await mkdir(bin)
  await mkdir(path.join(katman.folder, 'docker'))
  storage = await openMemoryStorage()
  registry = await serveRegistry({
    storage,
    auth: { kind: 'bearer', users: { alice: 'secret' } },
  })
})
afterEach(async () => {
  await registry.close()
  await katman[Symbol.asyncDispose]()
})

/** Installs `docker-credential-NAME` with this shell script and makes it the store of credentials. */
async function install(name: string, script: string): Promise<void> {
  const file = path.join(bin, `docker-credential-${name}`)
  await writeFile(file, `#!/bin/sh\n${script}\n`)
  await chmod(file, 0o755)
  await configure({ credsStore: name })
}

function configure(config: object): Promise<void> {
  return writeFile(path.join(katman.folder, 'docker/config.json'), JSON.stringify(config))
}

const env = () => ({ PATH: `${bin}:/usr/bin:/bin` })

function run(...words: readonly string[]): Promise<ProgramResult> {
  return katman.runWith({ env: env(), stdin: 'secret' }, ...words)
}

const login = () => run('login', '-u', 'alice', '--password-stdin', registry.host)

const failing: readonly (readonly [what: string, script: string, reason: string])[] = [
  ['fails', 'echo "no key ring"; exit 1', 'no key ring'],
  ['fails and tells stderr', 'echo "locked" >&2; exit 3', 'locked'],
  ['fails without a word', 'exit 7', 'exit status 7'],
  ['answers nonsense', 'echo "}{"', 'its answer is no JSON'],
  ['answers nothing', 'true', 'its answer is no JSON'],
  ['answers no credential', 'echo "[1]"', 'its answer has no Username and Secret'],
  ['never stops talking', 'exec cat /dev/zero', 'it says too much'],
  ['kills itself', 'kill -9 $$', 'it was killed'],
]

describe('a credential helper that', () => {
  it.each(failing)('%s is named, and the registry is asked without it', async (_, script, why) => {
    await install('odd', script)
    const { exitCode, stdout, stderr } = await run('tags', `${registry.host}/team/app`)
    expect(exitCode).toBe(1)
    expect(stdout).toBe('')
    const [warning, ...rest] = stderr.split('\n')
    expect(warning).toBe(
      `WARNING: credential helper "odd": ${why}; going on without its credentials`,
    )
    expect(rest.join('\n')).toContain('denied: requested access to the resource is denied')
  })

  it.each([
    [
      'fails',
      'cat >/dev/null; echo "no key ring"; exit 1',
      'exit status 1, out: `no key ring`',
      '',
    ],
    ['tells stderr', 'echo "locked" >&2; exit 3', 'exit status 3, out: ``', 'locked\n'],
    ['is killed', 'kill -9 $$', 'it was killed, out: ``', ''],
  ])('%s makes a login fail, and nothing is kept', async (_, script, why, before) => {
    await install('odd', script)
    expect(await login()).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: `${before}Error saving credentials: error storing credentials - err: ${why}\n`,
    })
    expect(await readFile(path.join(katman.folder, 'docker/config.json'), 'utf8')).toBe(
      '{"credsStore":"odd"}',
    )
  })

  it('is missing is no credential to a pull, and a failure to a login', async () => {
    await configure({ credsStore: 'nowhere' })
    const listed = await run('tags', `${registry.host}/team/app`)
    expect(listed.stderr).not.toContain('WARNING')
    expect(await login()).toMatchObject({
      exitCode: 1,
      stderr:
        'Error saving credentials: error storing credentials - err: exec: "docker-credential-nowhere": executable file not found in $PATH, out: ``\n',
    })
  })

  it('cannot forget makes a logout fail', async () => {
    await install('odd', 'echo "read only"; exit 1')
    const { exitCode, stderr } = await run('logout', registry.host)
    expect(exitCode).toBe(1)
    expect(stderr).toContain('credential helper "odd": read only')
  })

  it('is no program is told as such', async () => {
    const file = path.join(bin, 'docker-credential-odd')
    await writeFile(file, Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0]))
    await chmod(file, 0o755)
    await configure({ credsStore: 'odd' })
    const { stderr } = await run('tags', `${registry.host}/team/app`)
    expect(stderr).toMatch(/^WARNING: credential helper "odd": .+; going on without/)
  })

  it('hangs is given up, with all it holds open', async () => {
    await install('odd', 'sleep 10 & sleep 10')
    const lines: string[] = []
    const credentials = await loadCredentials({
      env: { ...env(), DOCKER_CONFIG: path.join(katman.folder, 'docker') },
      home: katman.folder,
      helperTimeoutMs: 200,
      warn: (line) => void lines.push(line),
    })
    expect(await credentials.get('reg.test')).toBeUndefined()
    expect(lines).toEqual([
      'WARNING: credential helper "odd": it did not answer in 0.2 s; going on without its credentials',
    ])
  })

  it('hangs is ended by one SIGINT', async () => {
    const started = path.join(katman.folder, 'started')
    await install('odd', `mkfifo '${started}' 2>/dev/null; echo x >'${started}'; exec sleep 1000`)
    const fifo = spawn('/usr/bin/mkfifo', [started])
    await once(fifo, 'close')
    const child = spawn(process.execPath, [program, 'tags', `${registry.host}/team/app`], {
      env: { ...env(), HOME: katman.folder, DOCKER_CONFIG: path.join(katman.folder, 'docker') },
    })
    const end = once(child, 'close')
    // Reading returns when the helper writes: it runs.
    await readFile(started)
    child.kill('SIGINT')
    expect(await end).toEqual([130, null])
  })
})

describe('a credential helper', () => {
  it('is asked once by a command, however many requests it makes', async () => {
    const log = path.join(katman.folder, 'log')
    const kept = path.join(katman.folder, 'kept')
    await install(
      'good',
      `echo $1 >>'${log}'; case $1 in store) cat >'${kept}';; get) cat '${kept}';; erase) rm '${kept}';; esac`,
    )
    expect(await login()).toEqual({ exitCode: 0, stdout: 'Login Succeeded\n', stderr: '' })
    await writeFile(log, '')
    const bytes = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] }),
    )
    const digest = parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
    const manifest = { digest, mediaType: mediaTypes.ociIndex, bytes }
    await placeManifest(storage, 'team/app', manifest, ['1', '2', '3'])
    const listed = await run('tags', '--format', '{{.Tag}}', `${registry.host}/team/app`)
    expect(listed).toEqual({ exitCode: 0, stdout: '3\n2\n1\n', stderr: '' })
    expect(await readFile(log, 'utf8')).toBe('get\n')
  })

  it('keeps an identity token under the name <token>, and gives it back as one', async () => {
    const kept = path.join(katman.folder, 'kept')
    await install('good', `case $1 in store) cat >'${kept}';; get) cat '${kept}';; esac`)
    const credentials = await loadCredentials({
      env: { ...env(), DOCKER_CONFIG: path.join(katman.folder, 'docker') },
      home: katman.folder,
    })
    await credentials.store('reg.test', { kind: 'identity', username: 'alice', token: 'T' })
    expect(JSON.parse(await readFile(kept, 'utf8'))).toEqual({
      ServerURL: 'reg.test',
      Username: '<token>',
      Secret: 'T',
    })
    const found = await credentials.get('reg.test')
    expect(found).toEqual({ kind: 'identity', username: '', token: 'T' })
  })

  it('of one registry goes before the one for all', async () => {
    const kept = JSON.stringify({ Username: 'alice', Secret: 'secret' })
    await install('one', `echo '${kept}'`)
    await install('all', 'echo "not asked"; exit 1')
    await configure({ credHelpers: { [registry.host]: 'one' }, credsStore: 'all' })
    const { stderr } = await run('tags', `${registry.host}/team/app`)
    expect(stderr).toContain('repository name not known to registry')
  })
})
