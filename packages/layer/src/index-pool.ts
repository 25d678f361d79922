import { statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { type Digest, KatmanError, type LayerCompression } from '@katman/oci'
import { type IndexedFile, indexFile, type IndexJob } from './index-file.ts'
import { type IndexWorker, startIndexWorker } from './index-thread.ts'

/** Options of {@link openIndexPool}. */
export interface IndexPoolOptions {
  /** Threads at most; they start when there is work. 0: everything in the calling thread. Default: one per core. */
  readonly workers?: number
  /** The program of a thread. Default: `index-worker.ts` beside this file; a bundle says where it put it. */
  readonly workerUrl?: URL
  /** Files of at most this size are indexed in the calling thread, for a thread takes 50 ms to start. Default 256 KiB. */
  readonly inlineBytes?: number
}

/** Options of {@link IndexPool.indexFile}. */
export interface IndexFileOptions {
  readonly signal?: AbortSignal
  /** Also check the digest of the file as it is: `DIGEST_MISMATCH`, before any complaint about its content. */
  readonly expectedDigest?: Digest
  /** More uncompressed bytes than this: `LAYER_TOO_LARGE`. Default: no limit. */
  readonly maxBytes?: number
  /** Also hash each file of the layer. Default false. */
  readonly hashFiles?: boolean
}

/** Threads that verify and index layer files. */
export interface IndexPool extends AsyncDisposable {
  /**
   * Decompresses, hashes and indexes a layer file in one pass. `expectedDiffID` undefined: the diffID is only told.
   * Throws what `indexLayer` throws, `DIGEST_MISMATCH`, the file system's errors (`code` `ENOENT`, …), the signal's
   * reason, `INDEX_POOL_CLOSED` and, when a thread dies, `INDEX_WORKER_FAILED`.
   */
  indexFile(
    path: string,
    compression: LayerCompression | 'detect',
    expectedDiffID: Digest | undefined,
    options?: IndexFileOptions,
  ): Promise<IndexedFile>
}

interface Waiting {
  readonly job: IndexJob
  readonly size: number
  readonly signal: AbortSignal | undefined
  readonly resolve: (indexed: IndexedFile) => void
  readonly reject: (error: unknown) => void
}

/** Opens a pool. It starts no thread before there is work and never more than there are jobs. */
export function openIndexPool(options: IndexPoolOptions = {}): IndexPool {
  const {
    workers: limit = availableParallelism(),
    workerUrl = new URL('./index-worker.ts', import.meta.url),
    inlineBytes = 256 * 1024,
  } = options
  const queue: Waiting[] = []
  const idle: IndexWorker[] = []
  const workers = new Set<IndexWorker>()
  let starting = 0
  let closed = false

  return {
    async indexFile(path, compression, expectedDiffID, fileOptions = {}) {
      const { signal, expectedDigest, maxBytes, hashFiles = false } = fileOptions
      signal?.throwIfAborted()
      if (closed) throw poolClosed()
      const job = { path, compression, expectedDiffID, expectedDigest, maxBytes, hashFiles }
      const { size } = statSync(path)
      if (limit === 0 || size <= inlineBytes) return indexFile(job, signal)
      return new Promise<IndexedFile>((resolve, reject) => {
        // The largest first: a long job that starts last runs alone.
        const place = queue.findIndex((waiting) => waiting.size < size)
        queue.splice(place === -1 ? queue.length : place, 0, { job, size, signal, resolve, reject })
        serve()
      })
    },
    async [Symbol.asyncDispose]() {
      closed = true
      for (const waiting of queue.splice(0)) waiting.reject(poolClosed())
      await Promise.all(Array.from(workers, (worker) => worker.close(poolClosed())))
    },
  }

  /** Gives waiting jobs to idle workers, and starts workers for those that remain. */
  function serve(): void {
    while (queue.length > 0) {
      const worker = idle.pop()
      if (worker === undefined) break
      if (worker.isDead()) {
        workers.delete(worker)
        continue
      }
      const waiting = queue.shift()
      if (waiting !== undefined) void work(worker, waiting)
    }
    while (starting < queue.length && workers.size + starting < limit) {
      starting += 1
      void startIndexWorker(workerUrl).then(takeIn, rejectAll)
    }
  }

  function takeIn(worker: IndexWorker): void {
    starting -= 1
    if (closed) {
      void worker.close(poolClosed())
      return
    }
    workers.add(worker)
    idle.push(worker)
    serve()
  }

  function rejectAll(error: unknown): void {
    starting -= 1
    for (const waiting of queue.splice(0)) waiting.reject(error)
  }

  async function work(worker: IndexWorker, waiting: Waiting): Promise<void> {
    const { job, signal, resolve, reject } = waiting
    try {
      resolve(await worker.run(job, signal))
    } catch (error) {
      reject(error)
    }
    if (worker.isDead()) workers.delete(worker)
    else idle.push(worker)
    if (!closed) serve()
  }
}

function poolClosed(): KatmanError {
  return new KatmanError('INDEX_POOL_CLOSED', 'the pool that indexes layers was closed', {
    hint: 'nothing of the layer was recorded; start again',
  })
}
