import { createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { type Bytes, KatmanError } from '@katman/oci'
import { decompressed, maxInflatedBytes } from '@katman/layer'
import type { CallOptions } from '@katman/transfer'

export interface SpoolOptions extends CallOptions {
  /** How many bytes may come out of so many. Default: as for a layer. */
  readonly maxUnpackedBytes?: ((packedBytes: number) => number) | undefined
}

/**
 * What a stream unpacks to, whatever packed it. Throws `LAYER_TOO_LARGE` when more comes out than may, and what
 * {@link decompressed} throws.
 */
export async function* unpackedWithin(
  source: Bytes,
  { signal, maxUnpackedBytes = maxInflatedBytes }: SpoolOptions,
): Bytes {
  let packed = 0
  let size = 0
  const counted: Bytes = (async function* () {
    for await (const chunk of source) {
      packed += chunk.byteLength
      yield chunk
    }
  })()
  const call = signal === undefined ? {} : { signal }
  for await (const chunk of decompressed(counted, 'detect', call)) {
    size += chunk.byteLength
    // What is not packed gives as much as there is.
    if (size > packed && size > maxUnpackedBytes(packed)) throw tooLarge(packed, size)
    yield chunk
  }
}

/** Writes a new file for its owner alone. Throws `SPOOL_FULL`. */
export async function writeSpool(bytes: Bytes, file: string, call: CallOptions): Promise<void> {
  const { signal } = call
  try {
    await pipeline(
      bytes,
      createWriteStream(file, { mode: 0o600, flags: 'wx' }),
      signal === undefined ? {} : { signal },
    )
  } catch (error) {
    signal?.throwIfAborted()
    if (isFull(error)) throw full(file, error)
    throw error
  }
}

/** Node has no name for EDQUOT, only its number. */
function isFull(error: unknown): boolean {
  const { code, errno } = Object(error) as { readonly code?: unknown; readonly errno?: unknown }
  return code === 'ENOSPC' || code === 'EDQUOT' || errno === -122
}

function full(file: string, cause: unknown): KatmanError {
  return new KatmanError('SPOOL_FULL', `no space left for the temporary file ${file}`, {
    hint: 'make room there, or let TMPDIR name a folder on another disk',
    details: { file },
    cause,
  })
}

function tooLarge(packed: number, size: number): KatmanError {
  return new KatmanError(
    'LAYER_TOO_LARGE',
    `more than ${size} bytes come out of ${packed} packed ones`,
    {
      hint: 'the archive was made to fill disks; do not trust where it comes from',
      details: { packed, size },
    },
  )
}
