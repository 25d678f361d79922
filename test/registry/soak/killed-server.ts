import { rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import {
  createPeerDirectory,
  findFreePort,
  type PeerProcess,
  startPeer,
  waitForPeer,
} from '../../peers/process.ts'

const program =
  process.env['KATMAN_TEST_PROGRAM'] ??
  path.resolve(import.meta.dirname, '../../../packages/cli/bin/katman.js')

/** Clean-up every second, and hardly a pause before anything unused goes. */
const configuration = `cleanup:
  every: 1s
  review-after: 2s
  condemned: 2s
  untagged: 60s
`

/** A registry of its own folder that can be killed and started again on the same port. */
export interface KilledServer extends AsyncDisposable {
  readonly port: number
  /** Resolves when it answers, at once while it does. */
  whenUp(): Promise<void>
  /** SIGKILL, then a new start. */
  killAndStart(): Promise<void>
}

export async function startKilledServer(): Promise<KilledServer> {
  const directory = await createPeerDirectory('soak')
  const port = await findFreePort()
  const config = path.join(directory, 'registry.yaml')
  await writeFile(config, configuration)
  const words = ['--listen', `127.0.0.1:${port}`, '--data', path.join(directory, 'data')]
  let server: PeerProcess
  const start = async (): Promise<void> => {
    server = await startPeer(directory, process.execPath, [
      program,
      'registry',
      'serve',
      ...words,
      '--open',
      '--config',
      config,
    ])
    await waitForPeer(server, () => isReady(port))
  }
  let up = start()
  await up
  return {
    port,
    whenUp: () => up,
    async killAndStart() {
      up = (async () => {
        process.kill(server.pid, 'SIGKILL')
        await server.stop()
        await start()
      })()
      await up
    },
    async [Symbol.asyncDispose]() {
      await server.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function isReady(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`)
    await response.arrayBuffer()
    return response.ok
  } catch {
    return false
  }
}
