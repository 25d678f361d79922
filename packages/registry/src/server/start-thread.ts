import { KatmanError } from '@katman/oci'
import type { LogSink } from './access-log.ts'
import type { TlsPair } from './listener.ts'
import type { MetricsSnapshot } from './metrics.ts'
import type { FromThread, ThreadStart, ToThread } from './thread-messages.ts'

/** A replica in a thread of its own, seen from the first one. */
export interface ReplicaThread {
  leave(): void
  drain(): Promise<void>
  cut(): void
  close(): Promise<void>
  useTls(pair: TlsPair): void
  snapshot(): Promise<MetricsSnapshot>
}

interface Surroundings {
  readonly sink: LogSink
  readonly warn: (line: string) => void
  readonly metricsText: () => Promise<string>
  /** The thread ended without being told to. */
  readonly onDeath: (error: KatmanError) => void
}

/** The numbers of a thread that died: nobody waits for them. */
const nothing: MetricsSnapshot = { values: new Map(), histograms: new Map() }

/** JavaScript heap of a thread, in MiB. Bodies are outside. */
const resourceLimits = { maxOldGenerationSizeMb: 1024, maxYoungGenerationSizeMb: 16 }

/** Starts a thread and resolves when it listens. Throws what kept it from that. */
export async function startThread(
  start: ThreadStart,
  { sink, warn, metricsText, onDeath }: Surroundings,
): Promise<ReplicaThread> {
  const { Worker } = await import('node:worker_threads')
  const worker = new Worker(new URL(entry, import.meta.url), {
    workerData: start,
    resourceLimits,
    name: `katman registry ${start.place.thread}`,
  })
  const snapshots = new Map<number, (snapshot: MetricsSnapshot) => void>()
  let asked = 0
  let isEnding = false
  let isDead = false
  const told: Partial<Record<FromThread['kind'], () => void>> = {}
  const send = (message: ToThread): void => {
    worker.postMessage(message)
  }
  const until = (kind: FromThread['kind']): Promise<void> =>
    new Promise((resolve) => {
      if (isDead) resolve()
      else told[kind] = resolve
    })

  await new Promise<void>((resolve, reject) => {
    told.listening = resolve
    const died = (error: Error): void => {
      const reason = threadFailed(error.message)
      reject(reason)
      isDead = true
      for (const tell of Object.values(told)) tell()
      for (const show of snapshots.values()) show(nothing)
      snapshots.clear()
      if (!isEnding) onDeath(reason)
    }
    worker.on('error', (error) => {
      died(error instanceof Error ? error : new Error(String(error)))
    })
    worker.on('exit', (code) => {
      died(new Error(`exit code ${code}`))
    })
    worker.on('message', (message: FromThread) => {
      switch (message.kind) {
        case 'log':
          sink(message.text)
          break
        case 'warn':
          warn(message.text)
          break
        case 'failed':
          isEnding = true
          reject(
            new KatmanError(
              message.code,
              message.message,
              message.hint === undefined ? {} : { hint: message.hint },
            ),
          )
          void worker.terminate()
          break
        case 'snapshot':
          snapshots.get(message.id)?.(message.snapshot)
          snapshots.delete(message.id)
          break
        case 'metrics-text': {
          const { id } = message
          void metricsText().then((text) => send({ kind: 'metrics-text', id, text }))
          break
        }
        default:
          told[message.kind]?.()
      }
    })
  })

  return {
    leave: () => send({ kind: 'leave' }),
    drain() {
      const drained = until('drained')
      send({ kind: 'drain' })
      return drained
    },
    cut: () => send({ kind: 'cut' }),
    async close() {
      isEnding = true
      const closed = until('closed')
      send({ kind: 'close' })
      await closed
      await worker.terminate()
    },
    useTls: (pair) => send({ kind: 'tls', pair }),
    snapshot: () =>
      new Promise((resolve) => {
        if (isDead) {
          resolve(nothing)
          return
        }
        const id = ++asked
        snapshots.set(id, resolve)
        send({ kind: 'snapshot', id })
      }),
  }
}

// The release is JavaScript in one folder.
const entry = import.meta.url.endsWith('.ts') ? './replica-thread.ts' : '../replica-thread.js'

function threadFailed(reason: string): KatmanError {
  return new KatmanError('REGISTRY_THREAD_FAILED', `a thread of the server ended: ${reason}`, {
    hint: 'start the server again; there may be too little memory',
  })
}
