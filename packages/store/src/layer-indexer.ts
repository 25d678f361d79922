import type { Digest } from '@katman/oci'
import type { IndexPool, LayerIndex } from '@katman/layer'
import type { WriteOptions } from '@katman/transfer'

/** What an index of a layer is made of, ready for its file. */
export interface IndexedLayer {
  readonly size: number
  readonly entryCount: number
  readonly encoded: Uint8Array
}

/** Makes and reads layer indexes; the worker threads and the code for them come at first use. */
export interface LayerIndexer {
  /** Reads a blob's file, which begins with `head`, and checks that the layer in it is `diffID`. */
  index(
    file: string,
    head: Uint8Array,
    diffID: Digest,
    options: WriteOptions,
  ): Promise<IndexedLayer>
  decode(bytes: Uint8Array): Promise<LayerIndex>
  close(): Promise<void>
}

export interface LayerIndexerOptions {
  readonly workers?: number | undefined
  readonly workerUrl?: URL | undefined
}

/** A pool of worker threads that starts at the first layer. */
export function createLayerIndexer(options: LayerIndexerOptions): LayerIndexer {
  let pool: Promise<IndexPool> | undefined
  const start = async (): Promise<IndexPool> => {
    const { openIndexPool } = await import('@katman/layer')
    return openIndexPool({ workers: options.workers, workerUrl: options.workerUrl })
  }
  return {
    async index(file, head, diffID, { signal, onProgress }) {
      const { detectCompression } = await import('@katman/layer')
      // As docker does: the bytes tell how they are compressed, whatever the media type says.
      const compression = detectCompression(head)
      pool ??= start()
      return (await pool).indexFile(file, compression, {
        expectedDiffID: diffID,
        signal,
        onProgress: (bytes) => onProgress?.({ state: 'indexing', bytes }),
      })
    },
    async decode(bytes) {
      const { decodeLayerIndex } = await import('@katman/layer')
      return decodeLayerIndex(bytes)
    },
    async close() {
      await (await pool)?.[Symbol.asyncDispose]()
    },
  }
}
