import { parentPort, workerData } from 'node:worker_threads'
import { isKatmanError } from '@katman/oci'
import { openReplica } from './replica.ts'
import type { FromThread, ThreadStart, ToThread } from './thread-messages.ts'

// The entry of a thread that answers requests beside the first one.
const tell = (message: FromThread): void => {
  parentPort?.postMessage(message)
}
const waiting = new Map<number, (text: string) => void>()
let asked = 0

async function run({ options, place }: ThreadStart): Promise<void> {
  const replica = await openReplica(options, place, {
    sink: (text) => tell({ kind: 'log', text }),
    warn: (text) => tell({ kind: 'warn', text }),
    metricsText: () =>
      new Promise((resolve) => {
        const id = ++asked
        waiting.set(id, resolve)
        tell({ kind: 'metrics-text', id })
      }),
  })
  parentPort?.on('message', (message: ToThread) => {
    void obey(message)
  })
  tell({ kind: 'listening' })

  async function obey(message: ToThread): Promise<void> {
    switch (message.kind) {
      case 'leave':
        replica.leave()
        break
      case 'drain':
        await replica.drain()
        tell({ kind: 'drained' })
        break
      case 'cut':
        replica.cut()
        break
      case 'close':
        await replica.close()
        tell({ kind: 'closed' })
        parentPort?.close()
        break
      case 'tls':
        replica.useTls(message.pair)
        break
      case 'snapshot':
        tell({ kind: 'snapshot', id: message.id, snapshot: await replica.snapshot() })
        break
      case 'metrics-text':
        waiting.get(message.id)?.(message.text)
        waiting.delete(message.id)
        break
      default:
        message satisfies never
    }
  }
}

run(workerData as ThreadStart).catch((error: unknown) => {
  const known = isKatmanError(error) ? error : undefined
  const message = error instanceof Error ? error.message : String(error)
  tell({
    kind: 'failed',
    code: known?.code ?? 'REGISTRY_THREAD_FAILED',
    message,
    hint: known?.hint,
  })
})
