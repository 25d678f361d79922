import { createHash } from 'node:crypto'
import {
  type Bytes,
  type Digest,
  digestAlgorithm,
  KatmanError,
  type LayerCompression,
  parseDigest,
} from '@katman/oci'
import { decompressed } from './compression.ts'
import { layerEntry, type LayerEntry } from './layer-entry.ts'
import { createTarReader, type TarLimits } from './tar-reader.ts'

/** What a layer holds, found in one pass over its bytes. */
export interface LayerIndex {
  /** The digest of the uncompressed layer. */
  readonly diffID: Digest
  /** Bytes of the uncompressed layer. */
  readonly size: number
  /** In the order of the layer. AUFS metadata is left out. */
  readonly entries: readonly LayerEntry[]
}

/** Options of {@link indexLayer}. */
export interface IndexOptions extends TarLimits {
  readonly signal?: AbortSignal
  /** Another content: `LAYER_CONTENT_MISMATCH`. Also says the hash of the diffID; default sha256. */
  readonly expectedDiffID?: Digest
  /** More uncompressed bytes than this: `LAYER_TOO_LARGE`. Default: no limit. */
  readonly maxBytes?: number
  /** Also hash each file: half as much work again. Default false. */
  readonly hashFiles?: boolean
}

/**
 * Reads a layer once: decompresses, hashes and indexes. Throws the errors of `decompressed`, of `createTarReader`,
 * `LAYER_PATH_INVALID`, `LAYER_ENTRY_INVALID` and `LAYER_CONTENT_MISMATCH` (`details: { expected, actual }`).
 */
export async function indexLayer(
  source: Bytes,
  compression: LayerCompression | 'detect',
  options: IndexOptions = {},
): Promise<LayerIndex> {
  const entries: LayerEntry[] = []
  const facts = await scanLayer(source, compression, (entry) => entries.push(entry), options)
  return { ...facts, entries }
}

/** As {@link indexLayer}, but hands each entry on and keeps none. */
export async function scanLayer(
  source: Bytes,
  compression: LayerCompression | 'detect',
  onEntry: (entry: LayerEntry) => void,
  options: IndexOptions = {},
): Promise<Omit<LayerIndex, 'entries'>> {
  const { expectedDiffID, hashFiles = false } = options
  const algorithm = expectedDiffID === undefined ? 'sha256' : digestAlgorithm(expectedDiffID)
  const hash = createHash(algorithm)
  const reader = createTarReader(hashFiles ? hashingSink(onEntry) : plainSink(onEntry), options)
  let size = 0
  for await (const chunk of decompressed(source, compression, { ...options, reusesChunks: true })) {
    size += chunk.byteLength
    hash.update(chunk)
    reader.push(chunk)
  }
  reader.end()
  const diffID = parseDigest(`${algorithm}:${hash.digest('hex')}`)
  if (expectedDiffID !== undefined && diffID !== expectedDiffID) {
    throw contentMismatch(expectedDiffID, diffID)
  }
  return { diffID, size }
}

type TarSink = Parameters<typeof createTarReader>[0]

function plainSink(onEntry: (entry: LayerEntry) => void): TarSink {
  return {
    entry(tarEntry) {
      const entry = layerEntry(tarEntry)
      if (entry !== undefined) onEntry(entry)
    },
  }
}

function hashingSink(onEntry: (entry: LayerEntry) => void): TarSink {
  let file: LayerEntry | undefined
  let hash = createHash('sha256')
  return {
    entry(tarEntry) {
      const entry = layerEntry(tarEntry)
      // The holes of a sparse file may be as long as an attacker likes, so it is not hashed.
      file = entry?.type === 'file' && entry.sparse === undefined ? entry : undefined
      if (file !== undefined) hash = createHash('sha256')
      else if (entry !== undefined) onEntry(entry)
    },
    body(bytes) {
      if (file !== undefined) hash.update(bytes)
    },
    bodyEnd() {
      if (file !== undefined) onEntry({ ...file, sha256: hash.digest('hex') })
      file = undefined
    },
  }
}

function contentMismatch(expected: Digest, actual: Digest): KatmanError {
  return new KatmanError(
    'LAYER_CONTENT_MISMATCH',
    `layer content is ${actual}, the image config says ${expected}`,
    {
      hint: 'the image is inconsistent: the layer or the config was replaced; do not use it',
      details: { expected, actual },
    },
  )
}
