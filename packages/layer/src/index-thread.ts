import { KatmanError } from '@katman/oci'
import type { IndexedFile, IndexJob } from './index-file.ts'
import type { FromWorker, ToWorker } from './index-worker.ts'
import { unpackError } from './packed-error.ts'

/** One worker thread of the pool, seen from outside. */
export interface IndexWorker {
  /** Runs one job; the worker must be idle. */
  run(job: IndexJob, signal: AbortSignal | undefined): Promise<IndexedFile>
  readonly isDead: () => boolean
  /** Ends the thread; a running job fails with `error`. */
  close(error: KatmanError): Promise<void>
}

/** JavaScript heap of a thread, in MiB. Buffers are outside; entries are encoded as they are read. */
const resourceLimits = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4 }

/** Starts a thread. It keeps the process alive only while it has a job. */
export async function startIndexWorker(url: URL): Promise<IndexWorker> {
  const { Worker } = await import('node:worker_threads')
  const worker = new Worker(url, { resourceLimits, name: 'katman layer index' })
  let dead = false
  let settle: ((answer: FromWorker | Error) => void) | undefined
  worker.unref()
  worker.on('message', (answer: FromWorker) => settle?.(answer))
  worker.on('error', (error) => {
    dead = true
    settle?.(workerFailed(error))
  })
  worker.on('exit', () => {
    dead = true
    settle?.(workerFailed(undefined))
  })

  return {
    isDead: () => dead,
    async run(job, signal) {
      const cancel = (): void => send('cancel')
      worker.ref()
      try {
        signal?.throwIfAborted()
        signal?.addEventListener('abort', cancel, { once: true })
        const answer = await new Promise<FromWorker | Error>((resolve) => {
          settle = resolve
          if (dead) resolve(workerFailed(undefined))
          else send({ job })
        })
        signal?.throwIfAborted()
        if (answer instanceof Error) throw answer
        if ('failed' in answer) throw unpackError(answer.failed)
        return answer.done
      } finally {
        settle = undefined
        signal?.removeEventListener('abort', cancel)
        worker.unref()
      }
    },
    async close(error) {
      dead = true
      settle?.(error)
      await worker.terminate()
    },
  }

  function send(message: ToWorker): void {
    worker.postMessage(message)
  }
}

function workerFailed(cause: unknown): KatmanError {
  return new KatmanError('INDEX_WORKER_FAILED', 'a thread that indexes layers ended unexpectedly', {
    hint: 'there may be too little memory; try again, with fewer workers',
    cause,
  })
}
