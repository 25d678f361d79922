import { randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises'
import path from 'node:path'
import type { Bytes, Descriptor } from '@katman/oci'
import { verified } from '@katman/transfer'
import type { ByteRange } from '../object-store.ts'

const chunkBytes = 256 * 1024

/**
 * Content on its way in: written to a file once, read from it by as many as want it, each as fast as it likes. The last
 * byte, of the whole and of every range, is shown only when the whole has the right digest, so that nobody ever gets all of
 * what they asked for of something else.
 */
export interface SpoolFile {
  readonly file: string
  /** How many bytes arrived. */
  readonly received: number
  /** Resolves when everything is there and right; rejects with what went wrong. */
  readonly done: Promise<void>
  /** The bytes of a range as they come. Throws what went wrong. */
  read(range: ByteRange): Bytes
  /** Removes the file. Those who read it go on; those who begin later get `instead`, or the failure. */
  discard(instead?: (range: ByteRange) => Bytes): Promise<void>
}

/** Writes `bytes` into a new file of the folder and verifies them. Throws what the file system throws. */
export async function openSpoolFile(
  folder: string,
  content: Descriptor,
  bytes: Bytes,
  from: string,
): Promise<SpoolFile> {
  await mkdir(folder, { recursive: true })
  const file = path.join(folder, randomUUID())
  const handle = await open(file, 'wx+', 0o600)
  const arrival = createSignal()
  let [received, visible, users] = [0, 0, 1]
  let failure: { readonly error: unknown } | undefined
  let discarded: { readonly instead: ((range: ByteRange) => Bytes) | undefined } | undefined

  async function leave(): Promise<void> {
    users--
    if (users === 0) await handle.close()
  }

  async function write(): Promise<void> {
    try {
      for await (const chunk of verified(bytes, content, from)) {
        await writeAll(handle, chunk, received)
        received += chunk.byteLength
        visible = Math.min(received, content.size - 1)
        arrival.tell()
      }
      visible = content.size
    } catch (error) {
      failure = { error }
      throw error
    } finally {
      arrival.tell()
    }
  }

  async function* read({ start, end }: ByteRange): Bytes {
    if (users === 0 || discarded !== undefined) {
      if (discarded?.instead === undefined) throw failure?.error ?? new Error('the spool is closed')
      yield* discarded.instead({ start, end })
      return
    }
    users++
    const shown = (): number => (visible === content.size ? end : Math.min(visible, end - 1))
    try {
      for (let at = start; at < end;) {
        while (at >= shown()) {
          if (failure !== undefined) throw failure.error
          await arrival.next()
        }
        const length = Math.min(chunkBytes, shown() - at)
        const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(length), 0, length, at)
        if (bytesRead === 0) throw new Error(`${file} is shorter than it was`)
        at += bytesRead
        yield buffer.subarray(0, bytesRead)
      }
    } finally {
      await leave()
    }
  }

  const done = write()
  // Those who read tell it; nobody else need listen.
  done.catch(() => {})
  return {
    file,
    done,
    get received() {
      return received
    },
    read,
    async discard(instead) {
      if (discarded !== undefined) return
      discarded = { instead }
      await unlink(file)
      await leave()
    },
  }
}

async function writeAll(handle: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < chunk.byteLength;) {
    const left = chunk.byteLength - done
    const { bytesWritten } = await handle.write(chunk, done, left, position + done)
    done += bytesWritten
  }
}

/** Wakes everybody who waits. */
function createSignal(): { tell(): void; next(): Promise<void> } {
  let current = Promise.withResolvers<void>()
  return {
    tell() {
      current.resolve()
      current = Promise.withResolvers()
    },
    next: () => current.promise,
  }
}
