import { parentPort } from 'node:worker_threads'
import { indexFile, type IndexedFile, type IndexJob } from './index-file.ts'
import { packError, type PackedError } from './packed-error.ts'

/** What the pool sends: a job, or that the running one is no longer wanted. */
export type ToWorker = { readonly job: IndexJob } | 'cancel'

/** What the worker answers to each job. */
export type FromWorker = { readonly done: IndexedFile } | { readonly failed: PackedError }

// The entry of a worker thread. It has one job at a time.
let running = new AbortController()

parentPort?.on('message', (message: ToWorker) => {
  if (message === 'cancel') {
    running.abort()
    return
  }
  running = new AbortController()
  indexFile(message.job, running.signal).then(
    (done) => {
      parentPort?.postMessage({ done } satisfies FromWorker, [done.encoded.buffer])
    },
    (error: unknown) => {
      parentPort?.postMessage({ failed: packError(error) } satisfies FromWorker)
    },
  )
})
