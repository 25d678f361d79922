import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { openMemoryStorage, type RegistryServer, serveRegistry } from '@katman/registry'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CommandFailure } from '../../packages/cli/src/failure.ts'
import { openProgram, type TestProgram } from './run-in-process.ts'

let katman: TestProgram
let registry: RegistryServer
beforeEach(async () => {
  katman = await openProgram()
  registry = await serveRegistry({
    storage: await openMemoryStorage(),
    auth: { kind: 'basic', users: { alice: 'secret' } },
  })
})
afterEach(async () => {
  await registry.close()
  await katman[Symbol.asyncDispose]()
})

const file = (): string => path.join(katman.folder, 'docker', 'config.json')
const auths = async (): Promise<unknown> => {
  const config = JSON.parse(await readFile(file(), 'utf8')) as { auths?: unknown }
  return config.auths
}
const alice = { auth: Buffer.from('alice:secret').toString('base64') }

describe('login', () => {
  it('asks for name and password on a terminal, and does not show the password', async () => {
    const choices = { isTerminal: true, stdin: 'alice\nsecret\n' }
    const { exitCode, stdout } = await katman.runWith(choices, 'login', registry.host)
    expect(stdout).toBe(`Username for ${registry.host}: Password: \nLogin Succeeded\n`)
    expect(exitCode).toBe(0)
    expect(await auths()).toEqual({ [registry.host]: alice })
  })

  it('reads the password from standard input, and keeps what else is in the file', async () => {
    await mkdir(path.dirname(file()))
    await writeFile(file(), JSON.stringify({ psFormat: 'x', auths: { 'other.example': alice } }))
    const result = await katman.runWith(
      { stdin: 'secret\n' },
      'login',
      '-u',
      'alice',
      '--password-stdin',
      registry.host,
    )
    expect(result).toMatchObject({ exitCode: 0, stdout: 'Login Succeeded\n' })
    expect(JSON.parse(await readFile(file(), 'utf8'))).toEqual({
      psFormat: 'x',
      auths: { 'other.example': alice, [registry.host]: alice },
    })
    expect((await stat(file())).mode & 0o777).toBe(0o600)
  })

  it('warns of a password on the command line and of the plain file', async () => {
    const { stderr } = await katman.run('login', '-u', 'alice', '-p', 'secret', registry.host)
    expect(stderr).toMatch(
      /^WARNING! Using --password via the CLI is insecure\. Use --password-stdin\.\n/,
    )
    expect(stderr).toContain(`WARNING! Your credentials are stored unencrypted in '${file()}'.`)
  })

  it('refuses a wrong password, and stores nothing', async () => {
    const { exitCode, stderr } = await katman.run(
      'login',
      '-u',
      'alice',
      '-p',
      'wrong',
      registry.host,
    )
    expect(exitCode).toBe(1)
    expect(stderr).toContain(
      `Error response from daemon: login attempt to http://${registry.host}/v2/ failed with status: 401 Unauthorized`,
    )
    await expect(readFile(file())).rejects.toThrow('ENOENT')
  })

  it('uses what is stored only when nobody is named', async () => {
    await katman.run('login', '-u', 'alice', '-p', 'secret', registry.host)
    const again = await katman.run('login', registry.host)
    expect(again).toMatchObject({ exitCode: 0, stdout: 'Login Succeeded\n' })
    expect(again.stderr).toContain('existing credentials... [Username: alice]')
    for (const words of [
      ['-u', 'bob'],
      ['-u', 'alice'],
      ['-p', 'secret'],
    ]) {
      const other = await katman.run('login', ...words, registry.host)
      expect(other).toMatchObject({ exitCode: 1, stdout: '' })
      expect(other.stderr).toMatch(
        /^(?:WARNING! .*\n)?Error: Cannot perform an interactive login from a non TTY device\n$/,
      )
    }
    const bob = { isTerminal: true, stdin: 'hunter\n' }
    const refused = await katman.runWith(bob, 'login', '-u', 'bob', registry.host)
    expect(refused.exitCode).toBe(1)
    expect(await auths()).toEqual({ [registry.host]: alice })
  })

  it('asks again when what is stored is no longer good', async () => {
    await mkdir(path.dirname(file()))
    const old = { auth: Buffer.from('alice:old').toString('base64') }
    await writeFile(file(), JSON.stringify({ auths: { [registry.host]: old } }))
    const choices = { isTerminal: true, stdin: '\nsecret\n' }
    const { exitCode, stdout, stderr } = await katman.runWith(choices, 'login', registry.host)
    expect(stderr).toContain(
      'Login did not succeed, error: Error response from daemon: login attempt to ',
    )
    expect(stdout).toBe(`Username for ${registry.host} (alice): Password: \nLogin Succeeded\n`)
    expect(exitCode).toBe(0)
    expect(await auths()).toEqual({ [registry.host]: alice })
  })

  it('ends at Ctrl-C, at both questions', async () => {
    const typed = { isTerminal: true, stdin: 'alice\n\u0003' }
    const hidden = await katman.runWith(typed, 'login', registry.host)
    expect(hidden).toMatchObject({ exitCode: 130, stderr: '' })
    const stop = new AbortController()
    const asked = await katman.runWith(
      {
        isTerminal: true,
        signal: stop.signal,
        onWrite: () => stop.abort(new CommandFailure('', { exitCode: 130 })),
      },
      'login',
      registry.host,
    )
    expect(asked).toMatchObject({ exitCode: 130, stderr: '' })
  })

  it.each([
    [
      ['-u', 'a', '-p', 'b', '--password-stdin'],
      'conflicting options: cannot specify both --password and --password-stdin\n',
    ],
    [['--password-stdin'], 'the --password-stdin option requires --username to be set\n'],
    [[], 'Error: Cannot perform an interactive login from a non TTY device\n'],
  ])('refuses %j', async (words, message) => {
    expect(await katman.run('login', ...words, registry.host)).toMatchObject({
      exitCode: 1,
      stderr: message,
    })
  })

  it('is what later commands use; logout forgets it', async () => {
    const denied = await katman.run('tags', `${registry.host}/team/app`)
    expect(denied.exitCode).toBe(1)
    await katman.run('login', '-u', 'alice', '-p', 'secret', registry.host)
    const allowed = await katman.run('tags', `${registry.host}/team/app`)
    expect(allowed.stderr).toContain('repository name not known to registry')
    const gone = await katman.run('logout', registry.host)
    expect(gone.stdout).toBe(`Removing login credentials for ${registry.host}\n`)
    expect(await auths()).toEqual({})
    expect((await katman.run('tags', `${registry.host}/team/app`)).exitCode).toBe(1)
  })

  it('keeps credentials with a helper where one is configured', async () => {
    const bin = path.join(katman.folder, 'bin')
    const kept = path.join(katman.folder, 'kept')
    await mkdir(bin)
    await mkdir(path.dirname(file()))
    await writeFile(file(), JSON.stringify({ credHelpers: { [registry.host]: 'fake' } }))
    const helper = path.join(bin, 'docker-credential-fake')
    await writeFile(
      helper,
      `#!/bin/sh\ncase $1 in store) cat >'${kept}';; get) cat '${kept}' 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; };; erase) rm -f '${kept}';; esac\n`,
    )
    await chmod(helper, 0o755)
    const env = { PATH: `${bin}:/usr/bin:/bin` }
    const words = ['login', '-u', 'alice', '--password-stdin', registry.host]
    const result = await katman.runWith({ env, stdin: 'secret' }, ...words)
    expect(result).toMatchObject({ exitCode: 0, stdout: 'Login Succeeded\n', stderr: '' })
    expect(JSON.parse(await readFile(kept, 'utf8'))).toMatchObject({
      Username: 'alice',
      Secret: 'secret',
    })
    expect(JSON.stringify(await readFile(file(), 'utf8'))).not.toContain('auth":')
    const listed = await katman.runWith({ env }, 'tags', `${registry.host}/team/app`)
    expect(listed.stderr).toContain('repository name not known to registry')
  })
})
