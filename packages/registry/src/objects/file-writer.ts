import type { FileHandle } from 'node:fs/promises'
import { type ChunkPool, smallChunk } from './chunk-pool.ts'

/**
 * Writes behind a position of a file. While one buffer is on its way to the disk the next one fills. What comes is copied into buffers
 * that go round: kept until they are written, the many small ones of a socket cost more to tidy up than all the rest.
 */
export class FileWriter {
  readonly #handle: FileHandle
  readonly #pool: ChunkPool
  /** What is gathered; undefined after it was handed on. */
  #buffer: Buffer | undefined
  #filled = 0
  #writing: Promise<void> | undefined
  #size: number
  readonly #pooled = new Set<Buffer>()

  constructor(handle: FileHandle, position: number, pool: ChunkPool) {
    this.#handle = handle
    this.#size = position
    this.#pool = pool
  }

  /** How far the file is written. */
  get size(): number {
    return this.#size
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.byteLength;) {
      const buffer = (this.#buffer ??= this.#takeBuffer())
      const part = chunk.subarray(at, at + buffer.byteLength - this.#filled)
      buffer.set(part, this.#filled)
      this.#filled += part.byteLength
      at += part.byteLength
      if (this.#filled === buffer.byteLength) await this.#flush()
    }
  }

  /** Resolves when all is written; cuts off what a failed write left. */
  async end(): Promise<void> {
    try {
      await this.#flush()
      await this.#writing
    } catch (error) {
      await this.#handle.truncate(this.#size)
      throw error
    } finally {
      for (const buffer of this.#pooled) this.#pool.giveBack(buffer)
      this.#pooled.clear()
    }
  }

  #takeBuffer(): Buffer {
    const large = this.#pool.take()
    if (large !== undefined) this.#pooled.add(large)
    return large ?? Buffer.allocUnsafeSlow(smallChunk)
  }

  async #flush(): Promise<void> {
    const [buffer, filled] = [this.#buffer, this.#filled]
    this.#buffer = undefined
    this.#filled = 0
    await this.#writing
    if (buffer === undefined) return
    this.#writing = this.#writeAll(buffer, filled)
    // Whoever writes next, or ends, hears of a failure.
    this.#writing.catch(() => undefined)
  }

  async #writeAll(buffer: Buffer, filled: number): Promise<void> {
    for (let at = 0; at < filled;) {
      const { bytesWritten } = await this.#handle.write(buffer, at, filled - at, this.#size)
      this.#size += bytesWritten
      at += bytesWritten
    }
    if (this.#pooled.delete(buffer)) this.#pool.giveBack(buffer)
  }
}
