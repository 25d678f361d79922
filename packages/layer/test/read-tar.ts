import { createHash } from 'node:crypto'
import { type Bytes, isKatmanError } from '@katman/oci'
import { layerEntry, type LayerEntry } from '../src/layer-entry.ts'
import type { TarEntry } from '../src/tar-entry.ts'
import { createTarReader, type TarLimits } from '../src/tar-reader.ts'

/** All entries of an archive, given in chunks of `step` bytes. */
export function readTar(
  archive: Uint8Array,
  step = archive.length,
  limits?: TarLimits,
): TarEntry[] {
  const entries: TarEntry[] = []
  const reader = createTarReader({ entry: (entry) => entries.push(entry) }, limits)
  for (let at = 0; at < archive.length; at += step) reader.push(archive.subarray(at, at + step))
  reader.end()
  return entries
}

/** All entries of an archive as a layer has them. */
export function readLayer(archive: Uint8Array): LayerEntry[] {
  return readTar(archive)
    .map((entry) => layerEntry(entry))
    .filter((entry) => entry !== undefined)
}

/** The code of the error that `action` throws; undefined when there is none. Other errors pass through. */
export function codeOf(action: () => unknown): string | undefined {
  try {
    action()
    return undefined
  } catch (error) {
    if (isKatmanError(error)) return error.code
    throw error
  }
}

/** As {@link codeOf}, for a promise. */
export async function codeOfPromise(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise
    return undefined
  } catch (error) {
    if (isKatmanError(error)) return error.code
    throw error
  }
}

export async function* inChunks(bytes: Uint8Array, step = Math.max(bytes.length, 1)): Bytes {
  for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step)
}

export async function collect(source: Bytes): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of source) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}
