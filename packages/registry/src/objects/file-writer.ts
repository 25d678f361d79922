import type { FileHandle } from 'node:fs/promises'

/** So much is gathered before it is written. */
const batchBytes = 1024 * 1024

/** Writes behind a position of a file. While a batch is on its way to the disk the next one is gathered. */
export class FileWriter {
  readonly #handle: FileHandle
  #batch: Uint8Array[] = []
  #batchSize = 0
  #writing: Promise<void> | undefined
  #size: number

  constructor(handle: FileHandle, position: number) {
    this.#handle = handle
    this.#size = position
  }

  /** How far the file is written. */
  get size(): number {
    return this.#size
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#batch.push(chunk)
    this.#batchSize += chunk.byteLength
    if (this.#batchSize >= batchBytes) await this.#flush()
  }

  /** Resolves when all is written; cuts off what a failed write left. */
  async end(): Promise<void> {
    try {
      await this.#flush()
      await this.#writing
    } catch (error) {
      await this.#handle.truncate(this.#size)
      throw error
    }
  }

  async #flush(): Promise<void> {
    await this.#writing
    const batch = this.#batch
    this.#batch = []
    this.#batchSize = 0
    if (batch.length === 0) return
    this.#writing = this.#writeAll(batch)
    // Whoever writes next, or ends, hears of a failure.
    this.#writing.catch(() => undefined)
  }

  async #writeAll(batch: readonly Uint8Array[]): Promise<void> {
    let rest = batch
    while (rest.length > 0) {
      const { bytesWritten } = await this.#handle.writev(rest, this.#size)
      this.#size += bytesWritten
      rest = skip(rest, bytesWritten)
    }
  }
}

/** What is left of a batch after its first bytes. */
function skip(batch: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let left = count
  for (const [at, chunk] of batch.entries()) {
    if (left < chunk.byteLength) return [chunk.subarray(left), ...batch.slice(at + 1)]
    left -= chunk.byteLength
  }
  return []
}
