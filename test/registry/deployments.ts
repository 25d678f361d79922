import path from 'node:path'
import type { PeerName } from '../peers/require-peer.ts'
import type { ConformanceTarget } from './conformance.ts'
import { serveKatman } from './serve.ts'

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
  const server = await serveKatman((folder) => [
    '--data',
    path.join(folder, 'data'),
    '--open',
    '--allow-sparse',
  ])
  return server
}
