import type { Bytes, LayerCompression } from '@katman/oci'
import { KatmanError } from '@katman/oci'
import type { Duplex } from 'node:stream'
import { compressionInvalid } from './compression-error.ts'
import type { Gunzipper } from './gunzip.ts'
import { zstdFrames } from './zstd-frames.ts'

/** How many bytes an inflater hands out at once. Node's default of 16 KiB is 2.5 times slower. */
const chunkBytes = 1024 * 1024

/** An inflater runs two chunks ahead of its reader, so that inflating and hashing overlap. */
const tuning = { chunkSize: chunkBytes, readableHighWaterMark: 2 * chunkBytes }

/** The largest zstd window, 128 MiB: the limit of the zstd program too. */
const maxWindowLog = 27

/** Options of {@link decompressed}. */
export interface DecompressOptions {
  /** More bytes than this come out: `LAYER_TOO_LARGE`. Default: no limit, for the output is a stream. */
  readonly maxBytes?: number
  readonly signal?: AbortSignal
  /** A chunk is used up before the next one is asked for, so that it may lie in the same memory. Default false. */
  readonly reusesChunks?: boolean
}

/** What {@link decompressed} reads: the compressions of layers, and two more of archives. */
export type Compression = LayerCompression | 'bzip2' | 'xz'

/** How many bytes show every compression. */
export const magicBytes = 10

/** The compression that the first {@link magicBytes} show; `none` for anything unknown. */
export function detectCompression(firstBytes: Uint8Array): Compression {
  const [a = 0, b = 0, c = 0, d = 0] = firstBytes
  if (a === 0x1f && b === 0x8b) return 'gzip'
  if (a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd) return 'zstd'
  // A zstd skippable frame.
  if (a >= 0x50 && a <= 0x5f && b === 0x2a && c === 0x4d && d === 0x18) return 'zstd'
  const hex = Buffer.from(firstBytes.subarray(0, magicBytes)).toString('hex')
  if (hex.startsWith('fd377a585a00')) return 'xz'
  // A file name may begin with BZh, so the mark of a block or of the end must follow.
  if (/^425a683[1-9](314159265359|177245385090)$/.test(hex)) return 'bzip2'
  return 'none'
}

/**
 * The uncompressed bytes of a layer; `detect` looks at its first bytes, as docker does. gzip: any number of members,
 * NULs behind them are padding. zstd: any number of frames, a window of at most 128 MiB. bzip2 and xz: see `bunzip2` and
 * `unxz`. Throws `LAYER_COMPRESSION_INVALID` for damaged, cut or foreign bytes and for anything else behind the last member
 * or frame, `COMPRESSION_UNSUPPORTED`, `LAYER_TOO_LARGE` beyond `maxBytes`. Errors of `source` pass through.
 * A chunk of `source` is used up before the next one is asked for.
 */
export async function* decompressed(
  source: Bytes,
  compression: Compression | 'detect',
  options: DecompressOptions = {},
): Bytes {
  const { maxBytes = Infinity, reusesChunks = false, signal } = options
  let size = 0
  for await (const chunk of opened(source, compression, reusesChunks)) {
    signal?.throwIfAborted()
    size += chunk.byteLength
    if (size > maxBytes) {
      throw new KatmanError('LAYER_TOO_LARGE', `layer has more than ${maxBytes} bytes`, {
        hint: 'honest layers stay far below that; do not trust where it comes from',
        details: { maxBytes },
      })
    }
    yield chunk
  }
}

async function* opened(
  source: Bytes,
  compression: Compression | 'detect',
  reusesChunks: boolean,
): Bytes {
  if (compression === 'none') {
    yield* source
    return
  }
  if (compression === 'xz') {
    yield* (await import('./unxz.ts')).unxz(source)
    return
  }
  if (compression === 'bzip2') {
    yield* (await import('./bunzip2.ts')).bunzip2(source)
    return
  }
  if (compression !== 'detect') {
    yield* inflate(source, compression, reusesChunks)
    return
  }
  const found = await startOf(source)
  yield* opened(found.bytes, found.compression, reusesChunks)
}

/** The compression that a stream shows, and the whole stream. */
export async function startOf(
  source: Bytes,
): Promise<{ readonly compression: Compression; readonly bytes: Bytes }> {
  const iterator = source[Symbol.asyncIterator]()
  const held: Uint8Array[] = []
  let length = 0
  while (length < magicBytes) {
    const next = await iterator.next()
    if (next.done === true) break
    held.push(next.value)
    length += next.value.byteLength
  }
  const compression = detectCompression(Buffer.concat(held).subarray(0, magicBytes))
  return { compression, bytes: resumed(held, iterator) }
}

async function* resumed(held: readonly Uint8Array[], iterator: AsyncIterator<Uint8Array>): Bytes {
  try {
    yield* held
    yield* { [Symbol.asyncIterator]: () => iterator }
  } finally {
    await iterator.return?.()
  }
}

async function* inflate(source: Bytes, compression: 'gzip' | 'zstd', reusesChunks: boolean): Bytes {
  const { constants, createGunzip, createZstdDecompress } = await import('node:zlib')
  if (compression === 'gzip') {
    const { openGunzip } = await import('./gunzip.ts')
    const gunzipper = openGunzip()
    if (gunzipper === undefined) yield* through(source, createGunzip(tuning))
    else yield* gunzip(source, gunzipper, reusesChunks)
    return
  }
  const engine = createZstdDecompress({
    ...tuning,
    params: { [constants.ZSTD_d_windowLogMax]: maxWindowLog },
  })
  yield* through(zstdFrames(source), engine)
}

async function* gunzip(source: Bytes, gunzipper: Gunzipper, reusesChunks: boolean): Bytes {
  let fault: unknown
  const guarded: Bytes = (async function* () {
    try {
      yield* source
    } catch (error) {
      fault = error
      throw error
    }
  })()
  try {
    for await (const chunk of gunzipper.inflate(guarded, (rest) => onlyZeros(rest, 0))) {
      yield reusesChunks ? chunk : Buffer.from(chunk)
    }
  } catch (error) {
    if (fault !== undefined || error instanceof KatmanError) throw error
    throw compressionInvalid(messageOf(error), error)
  }
}

/**
 * Sends bytes through a zlib stream, one chunk after the other, so that when the stream ends before its input does
 * what remains is in the last chunk and the source: there only NULs may be.
 */
async function* through(source: Bytes, engine: Engine): Bytes {
  let wake: (() => void) | undefined
  let fault: unknown
  engine.once('end', () => wake?.())
  engine.once('close', () => wake?.())
  const feeding = feed().catch((error: unknown) => {
    fault = error
    engine.destroy()
  })
  try {
    for await (const chunk of engine as AsyncIterable<Uint8Array>) yield chunk
    await feeding
  } catch (error) {
    if (fault === undefined) throw compressionInvalid(messageOf(error), error)
  }
  if (fault !== undefined) throw fault

  async function feed(): Promise<void> {
    let given = 0
    let over = false
    for await (const chunk of source) {
      if (engine.destroyed && !engine.readableEnded) return
      if (over) {
        onlyZeros(chunk, 0)
        continue
      }
      await new Promise<void>((resolve) => {
        wake = resolve
        engine.write(chunk, () => resolve())
      })
      if (engine.errored !== null) return
      const used = engine.bytesWritten - given
      given += chunk.byteLength
      over = used < chunk.byteLength
      if (over) onlyZeros(chunk, used)
    }
    if (!over) engine.end()
  }
}

/** What `node:zlib` streams are; `bytesWritten` counts the input that was used. */
type Engine = Duplex & { readonly bytesWritten: number }

function onlyZeros(chunk: Uint8Array, start: number): void {
  for (let at = start; at < chunk.length; at += 1) {
    if (chunk[at] !== 0) throw compressionInvalid('bytes behind the end of the compressed data')
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
