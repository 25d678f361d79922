import { writeFileSync } from 'node:fs'
import path from 'node:path'
import type { PeerName } from '../peers/require-peer.ts'
import type { ConformanceTarget } from './conformance.ts'
import { administer } from './administer.ts'
import { startReplicas } from './replicas.ts'
import { serveKatman } from './serve.ts'

/** A way to run the registry whose conformance is proven. */
export interface Deployment {
  /** The folder of its results under docs/conformance. */
  readonly name: string
  readonly title: string
  readonly peers: readonly PeerName[]
  readonly start: () => Promise<RunningDeployment>
}

interface RunningDeployment extends ConformanceTarget, AsyncDisposable {}

const dataIn = (folder: string): readonly string[] => [
  '--allow-sparse',
  '--data',
  path.join(folder, 'data'),
]

export const deployments: readonly Deployment[] = [
  {
    name: 'files',
    title: 'files and SQLite in one folder',
    peers: [],
    start: () => serveKatman((folder) => [...dataIn(folder), '--open']),
  },
  {
    name: 'auth',
    title: 'files and SQLite, with accounts and rights',
    peers: [],
    async start() {
      const server = await serveKatman(dataIn)
      const { addPerson, addRobot } = await administer(server)
      await addPerson({ user: 'ayse', secret: 'parola-parola' }, 'conformance')
      return { ...server, login: await addRobot('conformance') }
    },
  },
  {
    name: 'cleanup',
    title: 'files and SQLite, with clean-up every second',
    peers: [],
    start: () =>
      serveKatman((folder) => {
        const config = path.join(folder, 'registry.yaml')
        writeFileSync(config, 'cleanup: { every: 1s, review-after: 1s, condemned: 1s }\n')
        return [...dataIn(folder), '--open', '--config', config]
      }),
  },
  {
    name: 'scaled',
    title: 'PostgreSQL and S3',
    peers: ['postgres', 'versitygw'],
    start: () => startReplicas({ count: 1, flags: ['--open', '--allow-sparse'] }),
  },
  {
    name: 'replicas',
    title: 'three replicas, each request at the next one',
    peers: ['postgres', 'versitygw'],
    start: () => startReplicas({ count: 3, flags: ['--open', '--allow-sparse'] }),
  },
]
