import { createServer } from 'node:net'
import { availableParallelism } from 'node:os'
import { setTimeout } from 'node:timers/promises'
import type { KatmanError } from '@katman/oci'
import type { FirstRun } from '../accounts/first-run.ts'
import type { LogSink } from './access-log.ts'
import { claimFolder } from './claim-folder.ts'
import { answerHealth } from './health.ts'
import { type Listener, listen, listenFailure } from './listener.ts'
import { metricHelp } from './metric-help.ts'
import { formatMetrics } from './metrics.ts'
import { openReplica, type Replica } from './replica.ts'
import { defaultLimits, type ListenAddress, type ServerOptions } from './server-options.ts'
import { type ReplicaThread, startThread } from './start-thread.ts'
import { readTls } from './tls.ts'

/** A server that runs. */
export interface RunningServer {
  /** Where it listens, with the port that was free. */
  readonly address: ListenAddress
  readonly metricsAddress: ListenAddress | undefined
  readonly threads: number
  /** The first administrator, when this was the first start: to be shown once, and nowhere else. */
  readonly firstRun: FirstRun | undefined
  /** Rejects when a part of the server ended by itself; then stop it. */
  readonly failed: Promise<never>
  /** Reads certificate and key again. The old ones stay when the new ones do not fit: throws `TLS_INVALID`. */
  reloadTls(): Promise<void>
  /** Says no to new requests, waits for those under way, up to the limit, and closes everything. How many were cut does not matter to its promise. */
  stop(): Promise<void>
}

interface Output {
  /** Takes the lines of the request log. */
  readonly log: LogSink
  /** Takes one line for people. */
  readonly warn: (line: string) => void
}

/**
 * Serves a registry: in this thread and, beside it, in as many others as `threads` says, which listen on the same address.
 *
 * @throws KatmanError `LISTEN_FAILED`, `TLS_INVALID`, `REGISTRY_BUSY`, `REGISTRY_FOLDER_UNUSABLE`, `REGISTRY_CONFIG_INVALID`, and what `openRegistry` throws.
 */
export async function startServer(options: ServerOptions, output: Output): Promise<RunningServer> {
  const { database, folder } = options.registry
  const threads = threadsOf(options)
  const closing: (() => void | Promise<void>)[] = []
  const closeAll = async (): Promise<void> => {
    for (const close of closing.splice(0).toReversed()) await close()
  }
  try {
    // Replicas with a database of their own may share the folder of the blobs.
    if (folder !== undefined && database === undefined) closing.push(await claimFolder(folder))
    let tls = options.tls === undefined ? undefined : await readTls(options.tls)
    // Sockets that share a port would also share it with another server of this user.
    if (threads > 1 && options.listen.port !== 0) await checkFree(options.listen)

    const replicas: (Replica | ReplicaThread)[] = []
    const metricsText = async (): Promise<string> => {
      const snapshots = await Promise.all(replicas.map((replica) => replica.snapshot()))
      return formatMetrics(snapshots, metricHelp)
    }
    const surroundings = { sink: output.log, warn: output.warn, metricsText }
    const place = { thread: 0, threads, listen: options.listen, tls }
    const first = await openReplica(options, place, surroundings)
    replicas.push(first)
    closing.push(async () => {
      await hangUp(first)
      await first.close()
    })

    const { promise: failed, reject: fail } = Promise.withResolvers<never>()
    failed.catch(() => undefined)
    const onDeath = (error: KatmanError): void => {
      fail(error)
    }
    // Those that started must be closed when another one did not.
    const others = await Promise.allSettled(
      Array.from({ length: threads - 1 }, (_, at) =>
        startThread(
          { options, place: { ...place, thread: at + 1, listen: first.address } },
          { ...surroundings, onDeath },
        ),
      ),
    )
    for (const other of others) {
      if (other.status === 'rejected') continue
      replicas.push(other.value)
      closing.push(() => other.value.close())
    }
    const failure = others.find((other) => other.status === 'rejected')
    if (failure !== undefined) throw failure.reason
    const beside = await listenBeside(options, first)
    if (beside !== undefined) closing.push(() => hangUp(beside))
    const firstRun = await first.firstRun()
    await first.start()

    return {
      firstRun,
      address: first.address,
      metricsAddress: beside?.address,
      threads,
      failed,
      async reloadTls() {
        if (options.tls === undefined) return
        tls = await readTls(options.tls)
        for (const replica of replicas) replica.useTls(tls)
      },
      async stop() {
        for (const replica of replicas) replica.leave()
        await setTimeout(options.stopDelayMs ?? 0)
        const drained = Promise.all(replicas.map((replica) => replica.drain()))
        const limit = new AbortController()
        await Promise.race([
          drained,
          setTimeout(options.stopTimeoutMs ?? 60_000, undefined, { signal: limit.signal }).catch(
            () => undefined,
          ),
        ])
        limit.abort()
        for (const replica of replicas) replica.cut()
        await drained
        await closeAll()
      },
    }
  } catch (error) {
    await closeAll()
    throw error
  }
}

/** Takes nothing more and ends what is under way. */
async function hangUp(listener: Pick<Listener, 'drain' | 'cut'>): Promise<void> {
  const drained = listener.drain()
  listener.cut()
  await drained
}

/** One thread where the system cannot share a port between sockets, and where all is in its memory. */
function threadsOf({ threads, registry }: ServerOptions): number {
  const isInMemory = registry.folder === undefined && registry.database === undefined
  if (process.platform !== 'linux' || isInMemory) return 1
  return threads ?? Math.min(4, availableParallelism())
}

function checkFree(address: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (cause) => {
      reject(listenFailure(address, cause))
    })
    server.listen({ ...address, exclusive: true }, () => {
      server.close(() => {
        resolve()
      })
    })
  })
}

/** The listener that only tells how the server is. */
async function listenBeside(
  { metricsListen, limits }: ServerOptions,
  { health }: Replica,
): Promise<Listener | undefined> {
  if (metricsListen === undefined) return undefined
  const open = { ...health, showsMetrics: 'everybody' } as const
  return listen(async (request) => (await answerHealth(open, request)) ?? { status: 404 }, {
    listen: metricsListen,
    limits: { ...defaultLimits, ...limits, maxConnections: 100 },
  })
}
