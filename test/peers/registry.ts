import { mkdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'

import { createPeerDirectory, findFreePort, startPeer, waitForPeer } from './process.ts'
import { runChecked } from './terminal.ts'

/** How the registry is set up. */
export interface RegistryOptions {
  /** User names and passwords (HTTP Basic); default: open to all. */
  readonly users?: Readonly<Record<string, string>>
}

/** A running docker-registry (distribution) of this test, empty at start, on plain http. */
export interface RegistryPeer extends AsyncDisposable {
  /** `127.0.0.1:PORT`: the registry part of a reference. */
  readonly host: string
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  /** Where its content lies, for tests that damage it. */
  readonly dataDirectory: string
  /** Its process id. */
  readonly pid: number
}

/** Starts Debian's docker-registry on a free loopback port; deletion is allowed. */
export async function startRegistry(options: RegistryOptions = {}): Promise<RegistryPeer> {
  const directory = await createPeerDirectory('registry')
  const dataDirectory = path.join(directory, 'data')
  await mkdir(dataDirectory)
  const host = `127.0.0.1:${await findFreePort()}`
  const config: string[] = [
    'version: 0.1',
    'log: { level: warn, accesslog: { disabled: true } }',
    `storage: { filesystem: { rootdirectory: ${dataDirectory} }, delete: { enabled: true } }`,
    `http: { addr: "${host}" }`,
  ]
  if (options.users !== undefined) {
    const file = path.join(directory, 'htpasswd')
    await writeFile(file, await hashedUsers(options.users))
    config.push(`auth: { htpasswd: { realm: katman-test, path: ${file} } }`)
  }
  const configFile = path.join(directory, 'config.yml')
  await writeFile(configFile, `${config.join('\n')}\n`)

  const peer = await startPeer(directory, '/usr/bin/docker-registry', ['serve', configFile])
  const url = `http://${host}`
  await waitForPeer(peer, async () => {
    try {
      const response = await fetch(`${url}/v2/`)
      await response.arrayBuffer()
      return response.status === 200 || response.status === 401
    } catch {
      return false
    }
  })
  return {
    host,
    url,
    dataDirectory,
    pid: peer.pid,
    async [Symbol.asyncDispose]() {
      await peer.stop(2_000)
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function hashedUsers(users: Readonly<Record<string, string>>): Promise<string> {
  const lines: string[] = []
  for (const [name, password] of Object.entries(users)) {
    // Cost 4: the quickest bcrypt the registry accepts; these are test passwords.
    const args = ['-B', '-C', '4', '-i', '-n', name]
    const { stdout } = await runChecked('/usr/bin/htpasswd', args, { stdin: password })
    lines.push(stdout.trim())
  }
  return `${lines.join('\n')}\n`
}
