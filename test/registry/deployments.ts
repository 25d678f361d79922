import { rm } from 'node:fs/promises'
import path from 'node:path'
import { openFolderStorage, serveRegistry } from '@katman/registry'
import { createPeerDirectory } from '../peers/process.ts'
import type { PeerName } from '../peers/require-peer.ts'
import type { ConformanceTarget } from './conformance.ts'

/** A way to run the registry whose conformance is proven. */
export interface Deployment {
  /** The folder of its results under docs/conformance. */
  readonly name: string
  readonly title: string
  readonly peers: readonly PeerName[]
  start(): Promise<RunningDeployment>
}

interface RunningDeployment extends ConformanceTarget, AsyncDisposable {}

export const deployments: readonly Deployment[] = [
  { name: 'files', title: 'files and SQLite in one folder', peers: [], start: startFiles },
]

async function startFiles(): Promise<RunningDeployment> {
  const directory = await createPeerDirectory('registry')
  const storage = await openFolderStorage(path.join(directory, 'data'))
  const server = await serveRegistry({ storage })
  return {
    host: server.host,
    async [Symbol.asyncDispose]() {
      await server.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
