import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { openMemoryStorage, serveRegistry } from '@katman/registry'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type DockerdPeer, startDockerd } from '../peers/dockerd.ts'
import { describePeers, dockerClient, goTool } from '../peers/require-peer.ts'
import { type CommandResult, runChecked, runCommand } from '../peers/terminal.ts'
import { openProgram, type ProgramResult, type TestProgram } from '../program/run-in-process.ts'

const needs = ['root', 'dockerd', 'docker', 'docker-credential-pass', 'gpg', 'pass'] as const

describePeers('docker-credential-pass', needs, () => {
  let katman: TestProgram
  let dockerd: DockerdPeer
  let env: Record<string, string>
  beforeEach(async () => {
    katman = await openProgram()
    dockerd = await startDockerd()
    env = {
      PATH: `${path.dirname(goTool('docker-credential-pass'))}:/usr/bin:/bin`,
      HOME: katman.folder,
      DOCKER_CONFIG: path.join(katman.folder, 'docker'),
      DOCKER_HOST: dockerd.host,
      GNUPGHOME: path.join(katman.folder, 'gpg'),
      PASSWORD_STORE_DIR: path.join(katman.folder, 'pass'),
    }
    await mkdir(path.join(katman.folder, 'gpg'), { mode: 0o700 })
    await mkdir(path.join(katman.folder, 'docker'))
    const key = ['--batch', '--passphrase', '', '--quick-gen-key', 'katman@example.test']
    await runChecked('/usr/bin/gpg', key, { env })
    await runChecked('/usr/bin/pass', ['init', 'katman@example.test'], { env })
  }, 60_000)
  afterEach(async () => {
    await runCommand('/usr/bin/gpgconf', ['--kill', 'all'], { env })
    await dockerd[Symbol.asyncDispose]()
    await katman[Symbol.asyncDispose]()
  }, 60_000)

  const docker = (stdin: string, ...words: readonly string[]): Promise<CommandResult> =>
    runCommand(dockerClient() ?? '', words, { env, stdin })
  const run = (stdin: string | Uint8Array, ...words: readonly string[]): Promise<ProgramResult> =>
    katman.runWith({ env, stdin }, ...words)
  const kept = async (): Promise<unknown> => {
    const { stdout } = await runChecked(goTool('docker-credential-pass'), ['list'], { env })
    return JSON.parse(stdout)
  }
  const config = async (): Promise<string> =>
    readFile(path.join(katman.folder, 'docker/config.json'), 'utf8')

  it.each(['credsStore', 'credHelpers'])(
    'by %s: what docker or katman stores, the other uses and forgets',
    async (way) => {
      const registry = await serveRegistry({
        storage: await openMemoryStorage(),
        auth: { kind: 'basic', users: { alice: 'secret' } },
      })
      try {
        const { host } = registry
        const chosen = way === 'credsStore' ? { [way]: 'pass' } : { [way]: { [host]: 'pass' } }
        await writeFile(path.join(katman.folder, 'docker/config.json'), JSON.stringify(chosen))
        const login = ['login', '-u', 'alice', '--password-stdin', host]
        const image = `${host}/team/app:1`

        const tree = await runChecked('/usr/bin/tar', ['-C', '/etc', '-c', 'hostname'])
        const imported = await run(Buffer.from(tree.stdout), 'import', '-', image)
        expect(imported.stderr).toBe('')

        // docker stores, katman pushes and pulls with it and forgets it.
        expect((await docker('secret', ...login)).stdout).toBe('Login Succeeded\n')
        expect(await kept()).toEqual({ [host]: 'alice' })
        const byDocker = await config()
        expect(await run('', 'push', image)).toMatchObject({ exitCode: 0, stderr: '' })
        expect(await run('', 'pull', image)).toMatchObject({ exitCode: 0, stderr: '' })
        expect((await run('', 'search', `${host}/app`)).stdout).toContain('team/app')
        const out = await run('', 'logout', host)
        expect(out.stdout).toBe(`Removing login credentials for ${host}\n`)
        expect(await kept()).toEqual({})
        expect((await run('', 'pull', image)).exitCode).toBe(1)
        expect((await docker('', 'pull', image)).exitCode).toBe(1)

        // katman stores, docker pulls and searches with it and forgets it.
        expect(await run('secret', ...login)).toEqual({
          exitCode: 0,
          stdout: 'Login Succeeded\n',
          stderr: '',
        })
        expect(await kept()).toEqual({ [host]: 'alice' })
        expect(await config()).toBe(byDocker)
        expect(await docker('', 'pull', image)).toMatchObject({ exitCode: 0, stderr: '' })
        const found = await docker('', 'search', `${host}/app`)
        expect(found).toEqual(await run('', 'search', `${host}/app`))
        const again = await run('', 'login', host)
        expect(again.stderr).toContain('existing credentials... [Username: alice]')
        await docker('', 'logout', host)
        expect(await kept()).toEqual({})
        expect((await run('', 'pull', image)).exitCode).toBe(1)
      } finally {
        await registry.close()
      }
    },
    120_000,
  )
})
