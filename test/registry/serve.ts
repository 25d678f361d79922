import { rm } from 'node:fs/promises'
import path from 'node:path'
import {
  createPeerDirectory,
  findFreePort,
  type PeerProcess,
  startPeer,
  waitForPeer,
} from '../peers/process.ts'

/** The program under test: the sources, or the release that `KATMAN_TEST_PROGRAM` names. */
const katmanProgram =
  process.env['KATMAN_TEST_PROGRAM'] ??
  path.resolve(import.meta.dirname, '../../packages/cli/bin/katman.js')

/** A `katman registry serve` of this test, in a process of its own. */
export interface ServedRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
  /** Its private folder, which goes away with it. */
  readonly directory: string
  readonly process: PeerProcess
}

/** Starts the real program with these flags, which may name files in its folder, and waits until it answers. */
export async function serveKatman(
  flagsIn: (folder: string) => readonly string[],
): Promise<ServedRegistry> {
  const directory = await createPeerDirectory('registry')
  const host = `127.0.0.1:${await findFreePort()}`
  const words = ['registry', 'serve', '--listen', host, ...flagsIn(directory)]
  const server = await startPeer(directory, process.execPath, [katmanProgram, ...words])
  await waitForPeer(server, () => answers(host))
  return {
    host,
    directory,
    process: server,
    async [Symbol.asyncDispose]() {
      await server.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function answers(host: string): Promise<boolean> {
  try {
    const response = await fetch(`http://${host}/readyz`)
    await response.arrayBuffer()
    return response.ok
  } catch {
    return false
  }
}
