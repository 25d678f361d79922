import { isKatmanError, KatmanError } from '@katman/oci'
import { type FirstRun, makeFirstRunToken } from '../accounts/first-run.ts'
import type { RegistryRequest, RegistryResponse } from '../http.ts'
import { type OpenRegistry, openRegistry } from '../open-registry.ts'
import { createAccessLog, type LogSink } from './access-log.ts'
import { answerHealth, type Health } from './health.ts'
import { type Listener, listen, type TlsPair } from './listener.ts'
import { createMetrics, type MetricsSnapshot } from './metrics.ts'
import { collectProcessMetrics } from './process-metrics.ts'
import { defaultLimits, type ListenAddress, type ServerOptions } from './server-options.ts'
import { openThreadMetrics } from './thread-metrics.ts'
import { openTracing } from './tracing.ts'
import { remember } from './remember.ts'

/** What one thread is told about its place among the others. */
export interface ReplicaPlace {
  /** 0 is the first: the one that migrates and does the jobs. */
  readonly thread: number
  readonly threads: number
  readonly listen: ListenAddress
  readonly tls: TlsPair | undefined
}

interface Surroundings {
  readonly sink: LogSink
  readonly warn: (line: string) => void
  /** The numbers of all threads, for who asks this one. */
  readonly metricsText: () => Promise<string>
}

/** A registry with its listener, in one thread. All that threads share is the database and the blobs. */
export interface Replica {
  readonly address: ListenAddress
  /** Health and metrics, for a listener of their own. */
  readonly health: Health
  /** Makes the first administrator, at the first start of a registry with accounts. */
  firstRun(): Promise<FirstRun | undefined>
  /** Begins the work in the background. */
  start(): Promise<void>
  useTls(pair: TlsPair): void
  snapshot(): Promise<MetricsSnapshot>
  /** From here on `/readyz` says no. */
  leave(): void
  /** Takes no more requests; resolves when those under way have ended. */
  drain(): Promise<void>
  /** Ends what is still under way. */
  cut(): void
  close(): Promise<void>
}

export async function openReplica(
  options: ServerOptions,
  { thread, threads, listen: address, tls }: ReplicaPlace,
  { sink, warn, metricsText }: Surroundings,
): Promise<Replica> {
  const metrics = createMetrics()
  const log = createAccessLog(sink, Date.now)
  const version = options.version ?? ''
  const registry = await openRegistry(options.registry, {
    warn,
    onTransaction: (seconds) => {
      metrics.observe('katman_registry_database_transaction_seconds', '', seconds)
    },
  })
  let isLeaving = false
  // Everybody may ask, as often as they like.
  const look = remember(() => checkAndTell(registry, warn), { ms: 1000, now: Date.now })
  const health: Health = {
    check: async () => {
      if (isLeaving) throw new Error('the server is stopping')
      await look()
    },
    metricsText,
    showsMetrics: options.metricsListen === undefined ? 'nearby' : 'nobody',
  }
  let listener: Listener
  try {
    listener = await listen((request) => answer(registry, health, request), {
      listen: address,
      tls,
      isShared: threads > 1,
      limits: limitsOf(options, threads),
      trustedProxies: options.trustedProxies,
      metrics,
      log,
      tracing: await openTracing(version),
    })
  } catch (error) {
    await registry.close()
    throw error
  }
  const measureThread = openThreadMetrics(metrics, thread)

  return {
    address: listener.address,
    health,
    firstRun: async () =>
      options.registry.isOpen === true || options.registry.access?.htpasswd !== undefined
        ? undefined
        : makeFirstRunToken(registry.database, Date.now()),
    start: () => registry.start(),
    useTls: (pair) => {
      listener.useTls(pair)
    },
    async snapshot() {
      await listener.measure()
      measureThread()
      if (thread === 0) await collectProcessMetrics(metrics, registry, { threads, version })
      return metrics.snapshot()
    },
    leave() {
      isLeaving = true
    },
    drain() {
      registry.endStreams()
      return listener.drain()
    },
    cut: () => {
      listener.cut()
    },
    async close() {
      await registry.close()
      log.flush()
    },
  }
}

async function checkAndTell(registry: OpenRegistry, warn: (line: string) => void): Promise<void> {
  try {
    await registry.check()
  } catch (error) {
    warn(`not ready: ${error instanceof Error ? error.message : String(error)}`)
    throw isKatmanError(error)
      ? error
      : new KatmanError('STORAGE_UNAVAILABLE', 'the storage does not answer', { cause: error })
  }
}

async function answer(
  registry: OpenRegistry,
  health: Health,
  request: RegistryRequest,
): Promise<RegistryResponse> {
  const own = request.path.startsWith('/v2/') ? undefined : await answerHealth(health, request)
  return own ?? registry.handle(request)
}

/** The kernel spreads connections over the threads; a quarter more each, so that an uneven spread refuses nobody too early. */
function limitsOf({ limits }: ServerOptions, threads: number): typeof defaultLimits {
  const all = { ...defaultLimits, ...limits }
  const each = threads === 1 ? all.maxConnections : Math.ceil((all.maxConnections / threads) * 1.25)
  return { ...all, maxConnections: each }
}
