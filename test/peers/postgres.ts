import { existsSync } from 'node:fs'
import { chmod, chown, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { createPeerDirectory, findFreePort, startPeer, waitForPeer } from './process.ts'
import { runChecked, runCommand } from './terminal.ts'

const programs = '/usr/lib/postgresql/15/bin'

/** A PostgreSQL server of this test, on a loopback port, with data of its own. */
export interface PostgresPeer extends AsyncDisposable {
  readonly port: number
  /** Makes an empty database and gives its `postgres://` URL. */
  createDatabase(): Promise<string>
  /** Stops it at once, as a crash would, and starts it again with the same data. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/** Starts Debian's PostgreSQL without waiting for the disk: a test needs no data after a power cut. */
export async function startPostgres(): Promise<PostgresPeer> {
  const directory = await createPeerDirectory('postgres')
  const data = path.join(directory, 'data')
  const user = await findUser()
  if (user !== undefined) await chown(directory, user.uid, user.gid)
  await chmod(directory, 0o755)
  const init = ['-D', data, '-U', 'katman', '--auth=trust', '-E', 'UTF8', '--locale=C', '-N']
  await runChecked(...asUser(user, `${programs}/initdb`, init))
  const port = await findFreePort()
  const start = async () => {
    const settings = ['fsync=off', 'full_page_writes=off', 'max_connections=200']
    const args = ['-D', data, '-h', '127.0.0.1', '-p', String(port), '-k', directory]
    for (const setting of settings) args.push('-c', setting)
    const peer = await startPeer(directory, ...asUser(user, `${programs}/postgres`, args))
    await waitForPeer(peer, () => isReady(directory, port))
    return peer
  }
  let peer = await start()
  const stop = async (signal: 'SIGINT' | 'SIGQUIT') => {
    // SIGTERM would wait for the clients to leave.
    if (peer.running()) process.kill(peer.pid, signal)
    await peer.stop(10_000)
  }
  let count = 0
  return {
    port,
    async createDatabase() {
      const name = `test${++count}`
      const at = ['-h', directory, '-p', String(port), '-U', 'katman']
      await runChecked(`${programs}/createdb`, [...at, '-T', 'template0', name])
      return `postgres://katman@127.0.0.1:${port}/${name}`
    },
    async restart() {
      await stop('SIGQUIT')
      peer = await start()
    },
    stop: () => stop('SIGQUIT'),
    async [Symbol.asyncDispose]() {
      await stop('SIGINT')
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function isReady(directory: string, port: number): Promise<boolean> {
  // Its socket is there before it answers.
  if (!existsSync(path.join(directory, `.s.PGSQL.${port}`))) return false
  const at = ['-q', '-h', directory, '-p', String(port), '-U', 'katman']
  return (await runCommand(`${programs}/pg_isready`, at)).exitCode === 0
}

/** PostgreSQL refuses to run as root; Debian's package brings a user for it. */
async function findUser(): Promise<User | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const line = (await readFile('/etc/passwd', 'utf8'))
    .split('\n')
    .find((one) => one.startsWith('postgres:'))
  const [, , uid, gid] = line?.split(':') ?? []
  return { uid: Number(uid ?? 65_534), gid: Number(gid ?? 65_534) }
}

interface User {
  readonly uid: number
  readonly gid: number
}

function asUser(
  user: User | undefined,
  program: string,
  args: readonly string[],
): [program: string, args: readonly string[]] {
  if (user === undefined) return [program, args]
  // It becomes the program it starts: one process id.
  const identity = [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups']
  return ['setpriv', [...identity, '--', program, ...args]]
}
