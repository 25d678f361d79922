import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parseDigest } from '@katman/oci'
import { openMemoryStorage, type RegistryServer, serveRegistry } from '@katman/registry'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type SmallHub, startSmallHub } from '../compat/small-hub.ts'
import { openProgram, type TestProgram } from './run-in-process.ts'
import { placeTag } from '../registry/content.ts'

let katman: TestProgram
let hub: SmallHub
beforeEach(async () => {
  katman = await openProgram()
  hub = await startSmallHub()
})
afterEach(async () => {
  await hub[Symbol.asyncDispose]()
  await katman[Symbol.asyncDispose]()
})

async function logIn(host: string, username: string, password: string): Promise<void> {
  const folder = path.join(katman.folder, 'docker')
  await mkdir(folder, { recursive: true })
  const auth = Buffer.from(`${username}:${password}`).toString('base64')
  await writeFile(path.join(folder, 'config.json'), JSON.stringify({ auths: { [host]: { auth } } }))
}

describe('search', () => {
  it('shows what a registry with a search finds', async () => {
    const { exitCode, stdout } = await katman.run('search', '--limit', '7', `${hub.host}/alpine`)
    expect(exitCode).toBe(0)
    expect(stdout.split('\n').slice(0, 3)).toEqual([
      'NAME                     DESCRIPTION                                     STARS     OFFICIAL',
      'alpine                   A minimal Docker image based on Alpine Linux…   11534     [OK]',
      'alpinelinux/docker-cli   Simple and lightweight Alpine Linux image       14        ',
    ])
    expect(hub.searches).toEqual([{ query: 'q=alpine&n=7', authorization: undefined }])
  })

  it('sends the password for that registry, and to no other', async () => {
    await using other = await startSmallHub()
    await logIn(hub.host, 'alice', 'secret')
    await katman.run('search', `${hub.host}/x`)
    await katman.run('search', `${other.host}/x`)
    const basic = `Basic ${Buffer.from('alice:secret').toString('base64')}`
    expect(hub.searches.map((one) => one.authorization)).toEqual([basic])
    expect(other.searches.map((one) => one.authorization)).toEqual([undefined])
  })

  it('says what to do where there is no search, and looks through the catalog on demand', async () => {
    await using plain = await startPlainRegistry([
      'library/alpine',
      'team/alpine-tools',
      'team/app',
    ])
    const refused = await katman.run('search', `${plain.host}/alpine`)
    expect(refused).toMatchObject({
      exitCode: 1,
      stdout: '',
      stderr:
        'Error response from daemon: Unexpected status code 404\n' +
        `hint: ${plain.host} has no search; list what it has with: katman search --catalog ${plain.host}/TERM\n`,
    })
    const found = await katman.run('search', '--catalog', `${plain.host}/alpine`)
    expect(found.stdout.split('\n').map((line) => line.split(/ +/)[0])).toEqual([
      'NAME',
      'library/alpine',
      'team/alpine-tools',
      '',
    ])
    const one = await katman.run('search', '--catalog', '--limit', '1', `${plain.host}/`)
    expect(one.stdout.split('\n')).toHaveLength(3)
    const filtered = await katman.run('search', '--catalog', '-f', 'stars=3', `${plain.host}/x`)
    expect(filtered).toMatchObject({ exitCode: 1, stdout: '' })
  })

  it('shows hostile texts without obeying them', async () => {
    const results = [{ name: 'a/b\u001b[2J', description: 'x\u001b[31m\u202ey\tz', star_count: 1 }]
    await using evil = await serve((_, respond) => respond(200, JSON.stringify({ results })))
    const { stdout } = await katman.run('search', `${evil.host}/x`)
    expect(stdout).toContain('a/b\\x1b[2J')
    expect(stdout).toContain('x\\x1b[31m\\u202ey\\tz')
    expect(stdout).not.toContain('\u001b')
  })

  it.each([
    ['a list', '[]', 'not an object'],
    ['results that are no list', '{"results":{}}', 'results is no list'],
    ['a result that is no object', '{"results":[1]}', 'a result is not an object'],
    ['too much', `"${'x'.repeat(17 * 1024 * 1024)}"`, 'exceed 16 MiB'],
  ])('refuses an answer that is %s', async (_, body, message) => {
    await using odd = await serve((_path, respond) => respond(200, body))
    const { exitCode, stderr } = await katman.run('search', `${odd.host}/x`)
    expect(exitCode).toBe(1)
    expect(stderr).toContain(message)
  })

  it.each([
    ['a user and password', (host: string) => `user:secret@${host}/x`],
    ['a fragment', (host: string) => `${host}#frag.x/x`],
    ['a query', (host: string) => `${host}?x=.y/x`],
    ['a space', () => 'exa mple.com/x'],
    ['a backslash', (host: string) => `${host}\\.x/x`],
    ['a port that is no number', () => 'user:secret/x@registry.example/x'],
  ])('asks nobody when the registry is written with %s', async (_, word) => {
    for (const flags of [[], ['--catalog']]) {
      const { exitCode, stdout, stderr } = await katman.run('search', ...flags, word(hub.host))
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
      expect(stderr).toMatch(/^Error response from daemon: invalid index name/)
      expect(stderr).not.toContain('secret')
    }
    expect(hub.searches).toEqual([])
  })

  it('refuses filters that contradict each other', async () => {
    const words = ['-f', 'is-official=true', '-f', 'is-official=false', `${hub.host}/x`]
    expect(await katman.run('search', ...words)).toMatchObject({
      exitCode: 1,
      stderr: "Error response from daemon: Invalid filter 'is-official=[true false]'\n",
    })
    expect(hub.searches).toEqual([])
  })
})

describe('search of our own registry', () => {
  it.each(['basic', 'bearer'] as const)('shows what a user may read: %s', async (kind) => {
    const storage = await openMemoryStorage()
    for (const name of ['app', 'ayse/app', 'ayse/app-tools', 'deniz/app', 'ayse/my-app']) {
      await placeTag(storage, name, '1', parseDigest(`sha256:${'0'.repeat(64)}`))
    }
    const registry: RegistryServer = await serveRegistry({
      storage,
      auth: {
        kind,
        users: { ayse: 'parola' },
        policy: (user, repository) =>
          user !== undefined && (!repository.includes('/') || repository.startsWith(`${user}/`)),
      },
    })
    try {
      const anonymous = await katman.run('search', `${registry.host}/app`)
      expect(anonymous).toMatchObject({ exitCode: 1, stdout: '' })
      expect(anonymous.stderr).toContain(`hint: log in with: katman login ${registry.host}`)
      await logIn(registry.host, 'ayse', 'parola')
      const found = await katman.run('search', '--format', '{{.Name}}', `${registry.host}/app`)
      expect(found.stdout).toBe('app\nayse/app\nayse/app-tools\nayse/my-app\n')
    } finally {
      await registry.close()
    }
  })
})

interface Served extends AsyncDisposable {
  readonly host: string
}

type Respond = (status: number, body: string) => void

async function serve(answer: (path: string, respond: Respond) => void): Promise<Served> {
  const server = createServer((request, response) => {
    answer(request.url ?? '', (status, body) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(body)
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  // A TCP server's address is never a text.
  const { port } = server.address() as AddressInfo
  return {
    host: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
    },
  }
}

/** A registry with a catalog and no search. */
function startPlainRegistry(repositories: readonly string[]): Promise<Served> {
  return serve((path, respond) => {
    if (path === '/v2/') respond(200, '{}')
    else if (path.startsWith('/v2/_catalog')) respond(200, JSON.stringify({ repositories }))
    else respond(404, '404 page not found')
  })
}
