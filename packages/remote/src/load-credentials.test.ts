import { chmod, readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { createFolder, type Folder } from '../test/support.ts'
import { loadCredentials } from './load-credentials.ts'

const auth = (user: string, password: string) => ({ auth: btoa(`${user}:${password}`) })
const open = (folder: Folder, env: Record<string, string> = {}) =>
  loadCredentials({ env, home: folder.path })
const basic = (username: string, password: string) => ({ kind: 'basic', username, password })

/** A helper that keeps one credential a file, as the protocol has it. */
async function installHelper(folder: Folder, name: string): Promise<Record<string, string>> {
  const bin = path.join(folder.path, 'bin')
  const file = path.join(bin, `docker-credential-${name}`)
  await writeFile(
    file,
    `#!/bin/sh
store="${folder.path}/secret"
case "$1" in
  store) cat > "$store" ;;
  get) read -r server || true
    if [ "$server" = broken.test ]; then echo "no key ring"; exit 1; fi
    if [ -f "$store" ]; then cat "$store"; else echo "credentials not found in native keychain"; exit 1; fi ;;
  erase) rm -f "$store" ;;
esac
`,
  )
  await chmod(file, 0o755)
  return { PATH: `.:${bin}:/usr/bin:/bin` }
}

describe('loadCredentials', () => {
  it('finds what docker wrote, whole hosts only', async () => {
    await using folder = await createFolder({
      '.docker/config.json': JSON.stringify({
        auths: {
          'https://index.docker.io/v1/': auth('hub', 'h'),
          'reg.test:5000': auth('alice', 'a:b'),
          'https://old.test/v1/': auth('old', 'o'),
          'id.test': { auth: btoa('bob:'), identitytoken: 'T' },
        },
      }),
    })
    const credentials = await open(folder)
    expect(await credentials.get('docker.io', 'library/alpine')).toEqual(basic('hub', 'h'))
    expect(await credentials.get('reg.test:5000')).toEqual(basic('alice', 'a:b'))
    expect(await credentials.get('old.test')).toEqual(basic('old', 'o'))
    expect(await credentials.get('id.test')).toEqual({
      kind: 'identity',
      username: 'bob',
      token: 'T',
    })
    for (const stranger of ['reg.test', 'evil.reg.test:5000', 'docker.io.evil', '__proto__']) {
      expect(await credentials.get(stranger)).toBeUndefined()
    }
  })

  it('prefers DOCKER_AUTH_CONFIG, and finds the longest path in containers files', async () => {
    await using folder = await createFolder({
      'docker/config.json': JSON.stringify({ auths: { 'a.test': auth('file', '1') } }),
      'run/containers/auth.json': JSON.stringify({
        auths: { 'b.test': auth('host', '2'), 'b.test/team': auth('team', '3') },
      }),
    })
    const credentials = await open(folder, {
      DOCKER_CONFIG: path.join(folder.path, 'docker'),
      DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { 'a.test': auth('env', '0') } }),
      XDG_RUNTIME_DIR: path.join(folder.path, 'run'),
    })
    expect(await credentials.get('a.test')).toEqual(basic('env', '0'))
    expect(await credentials.get('b.test', 'team/app')).toEqual(basic('team', '3'))
    expect(await credentials.get('b.test', 'teams/app')).toEqual(basic('host', '2'))
  })

  it('passes over a broken file with a warning', async () => {
    await using folder = await createFolder({ '.docker/config.json': '{' })
    const warnings: string[] = []
    const credentials = await loadCredentials({
      env: {},
      home: folder.path,
      warn: (line) => void warnings.push(line),
    })
    expect(warnings).toEqual([
      `WARNING: Error parsing config file (${credentials.file}): no valid JSON`,
    ])
    expect(await credentials.get('a.test')).toBeUndefined()
  })

  it('keeps unknown keys, mode 0600 and tabs, and warns about plain text once', async () => {
    await using folder = await createFolder({
      '.docker/config.json': '{"psFormat":"x","auths":{},"plugins":{"a":{"b":"c"}}}',
    })
    const credentials = await open(folder)
    const kept = await credentials.store('reg.test', {
      kind: 'basic',
      username: 'alice',
      password: 'pw',
    })
    expect(kept.warning).toContain(`stored unencrypted in '${credentials.file}'`)
    const again = await credentials.store('reg.test', {
      kind: 'basic',
      username: 'alice',
      password: 'pw',
    })
    expect(again.warning).toBeUndefined()
    const text = await readFile(credentials.file, 'utf8')
    expect(JSON.parse(text)).toEqual({
      psFormat: 'x',
      auths: { 'reg.test': auth('alice', 'pw') },
      plugins: { a: { b: 'c' } },
    })
    expect(text).toContain('\n\t\t"reg.test": {\n')
    expect((await stat(credentials.file)).mode & 0o777).toBe(0o600)
    await credentials.erase('reg.test')
    expect(JSON.parse(await readFile(credentials.file, 'utf8'))['auths']).toEqual({})
    await credentials.erase('reg.test')
  })

  it('stores, finds and erases through a helper', async () => {
    await using folder = await createFolder({
      '.docker/config.json': '{"credsStore":"test"}',
      'bin/.keep': '',
    })
    const env = await installHelper(folder, 'test')
    const credentials = await open(folder, env)
    expect(await credentials.get('reg.test')).toBeUndefined()
    await credentials.store('reg.test', { kind: 'basic', username: 'alice', password: 'pw' })
    expect(await credentials.get('reg.test')).toEqual(basic('alice', 'pw'))
    expect(JSON.parse(await readFile(credentials.file, 'utf8'))).toEqual({
      auths: { 'reg.test': {} },
      credsStore: 'test',
    })
    await credentials.erase('reg.test')
    expect(await credentials.get('reg.test')).toBeUndefined()
    await expect(credentials.get('broken.test')).rejects.toMatchObject({
      code: 'CREDENTIALS_FAILED',
      message: expect.stringContaining('no key ring'),
    })
  })

  it('treats a helper that is not installed as no credentials, and never runs one from the current folder', async () => {
    await using folder = await createFolder({ '.docker/config.json': '{"credsStore":"nowhere"}' })
    expect(await (await open(folder, { PATH: '.:' })).get('reg.test')).toBeUndefined()
  })

  it('refuses unsafe helper names and servers', async () => {
    await using folder = await createFolder({
      '.docker/config.json': JSON.stringify({
        credHelpers: { 'a.test': '../../evil', 'b.test\nx': 'ok', 'c.test': '' },
      }),
    })
    const credentials = await open(folder)
    await expect(credentials.get('a.test')).rejects.toMatchObject({ code: 'CREDENTIALS_FAILED' })
    await expect(credentials.get('b.test\nx')).rejects.toMatchObject({ code: 'CREDENTIALS_FAILED' })
    expect(await credentials.get('c.test')).toBeUndefined()
  })
})
