import { createHash, type Hash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import {
  type Bytes,
  type Digest,
  digestAlgorithm,
  KatmanError,
  type LayerCompression,
  parseDigest,
} from '@katman/oci'
import { createIndexEncoder } from './index-codec.ts'
import { dockerSize } from './layer-entry.ts'
import { scanLayer } from './layer-index.ts'

/** What to index and what to hold it against. Plain data: it travels to a worker thread. */
export interface IndexJob {
  /** The layer as distributed, a file. */
  readonly path: string
  readonly compression: LayerCompression | 'detect'
  readonly expectedDiffID: Digest | undefined
  /** Also check the file as it is: `DIGEST_MISMATCH`, before any complaint about its content. */
  readonly expectedDigest: Digest | undefined
  readonly maxBytes: number | undefined
  readonly hashFiles: boolean
}

/** An index made from a file. */
export interface IndexedFile {
  readonly diffID: Digest
  /** Bytes of the uncompressed layer. */
  readonly size: number
  readonly entryCount: number
  /** Bytes of all its files and symlink targets: what docker calls the size of a layer. */
  readonly contentSize: number
  /** The index as `decodeLayerIndex` reads it. */
  readonly encoded: Uint8Array<ArrayBuffer>
}

/** The read size: large enough that a system call costs nothing, small enough to stay in the processor's cache. */
const chunkBytes = 256 * 1024

/** Indexes a file in one pass. The thread is blocked while the disk is read and the bytes are hashed. */
export async function indexFile(job: IndexJob, signal?: AbortSignal): Promise<IndexedFile> {
  const { path, compression, expectedDiffID, expectedDigest, maxBytes, hashFiles } = job
  const hash = expectedDigest && createHash(digestAlgorithm(expectedDigest))
  const encoder = createIndexEncoder()
  let contentSize = 0
  try {
    const facts = await scanLayer(
      readFile(path, hash),
      compression,
      (entry) => {
        encoder.add(entry)
        contentSize += dockerSize(entry)
      },
      {
        hashFiles,
        ...(expectedDiffID !== undefined && { expectedDiffID }),
        ...(maxBytes !== undefined && { maxBytes }),
        ...(signal !== undefined && { signal }),
      },
    )
    if (expectedDigest && hash) checkDigest(expectedDigest, hash, path)
    const encoded = encoder.finish(facts)
    return { ...facts, entryCount: encoder.count(), contentSize, encoded }
  } catch (error) {
    // A damaged file is not a bad layer: who asked for both checks learns which one it is.
    if (expectedDigest !== undefined && signal?.aborted !== true) {
      const whole = createHash(digestAlgorithm(expectedDigest))
      for await (const _ of readFile(path, whole)) signal?.throwIfAborted()
      checkDigest(expectedDigest, whole, path)
    }
    throw error
  }
}

async function* readFile(path: string, hash: Hash | undefined): Bytes {
  const file = openSync(path, 'r')
  // One buffer for all reads: who reads on has used the last chunk up.
  const buffer = Buffer.allocUnsafeSlow(chunkBytes)
  try {
    for (;;) {
      const count = readSync(file, buffer)
      if (count === 0) return
      const chunk = buffer.subarray(0, count)
      hash?.update(chunk)
      yield chunk
    }
  } finally {
    closeSync(file)
  }
}

function checkDigest(expected: Digest, hash: Hash, path: string): void {
  const actual = parseDigest(`${digestAlgorithm(expected)}:${hash.digest('hex')}`)
  if (actual === expected) return
  throw new KatmanError('DIGEST_MISMATCH', `${path}: content of ${expected} is ${actual}`, {
    hint: 'the file was damaged on disk; remove it and fetch it again',
    details: { digest: expected, actual, path },
  })
}
