import type { Descriptor, Digest } from '@katman/oci'
import type { IndexPool, LayerIndex } from '@katman/layer'
import type { WriteOptions } from '@katman/transfer'

/** What an index of a layer is made of, ready for its file. */
interface IndexedLayer {
  readonly size: number
  readonly entryCount: number
  readonly contentSize: number
  readonly encoded: Uint8Array
}

/** Makes and reads layer indexes; the worker threads and the code for them come at first use. */
export interface LayerIndexer {
  /** Reads a blob's file and checks that the layer in it is `diffID`. */
  index(
    file: string,
    blob: Descriptor,
    diffID: Digest,
    options: WriteOptions,
  ): Promise<IndexedLayer>
  decode(bytes: Uint8Array): Promise<LayerIndex>
  close(): Promise<void>
}

export interface LayerIndexerOptions {
  readonly workers?: number | undefined
  readonly workerUrl?: URL | undefined
  readonly maxLayerBytes?: ((blobBytes: number) => number) | undefined
}

/** A pool of worker threads that starts at the first layer. */
export function createLayerIndexer(options: LayerIndexerOptions): LayerIndexer {
  const { workers, workerUrl } = options
  let pool: Promise<IndexPool> | undefined
  const start = async (): Promise<IndexPool> => {
    const { openIndexPool } = await import('@katman/layer')
    return openIndexPool({
      ...(workers === undefined ? {} : { workers }),
      ...(workerUrl === undefined ? {} : { workerUrl }),
    })
  }
  return {
    async index(file, { size }, diffID, { signal, onProgress }) {
      pool ??= start()
      onProgress?.({ state: 'indexing', bytes: 0 })
      // As docker does: the bytes tell how they are compressed, whatever the media type says.
      const { maxInflatedBytes } = await import('@katman/layer')
      const maxBytes = (options.maxLayerBytes ?? maxInflatedBytes)(size)
      const call = { maxBytes, ...(signal === undefined ? {} : { signal }) }
      const layer = await (await pool).indexFile(file, 'detect', diffID, call)
      onProgress?.({ state: 'indexing', bytes: size })
      return layer
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
