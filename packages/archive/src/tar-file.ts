import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import path from 'node:path/posix'
import { type Bytes, isKatmanError, maxDocumentBytes } from '@katman/oci'
import { cleanPath, createTarReader, shownName, type TarEntry } from '@katman/layer'
import type { CallOptions } from '@katman/transfer'
import { archiveInvalid } from './archive-error.ts'

/** Where the content of a file lies in the archive. */
export interface Piece {
  readonly offset: number
  readonly size: number
}

/** A tar archive on disk, its regular files by clean path. Links inside the archive lead to their file. */
export interface TarFile {
  /** What messages call it. */
  readonly name: string
  find(file: string): Piece | undefined
  /** Throws `ARCHIVE_INVALID` beyond 4 MiB. */
  readDocument(piece: Piece, what: string): Promise<Uint8Array>
  read(piece: Piece, start: number, call: CallOptions): Bytes
}

const chunkBytes = 1024 * 1024
/** More files than any image archive has. */
const maxEntries = 200_000
const maxLinks = 8

/** Reads the headers of an uncompressed archive. Throws `ARCHIVE_INVALID`. */
export async function openTarFile(
  file: string,
  name: string,
  { signal }: CallOptions = {},
): Promise<TarFile> {
  const pieces = new Map<string, Piece>()
  const links = new Map<string, string>()
  const reader = createTarReader({ entry: (entry) => noteEntry(entry) }, { maxEntries })
  try {
    const stream = createReadStream(file, { highWaterMark: chunkBytes, ...(signal && { signal }) })
    for await (const chunk of stream as Bytes) reader.push(chunk)
    reader.end()
  } catch (error) {
    signal?.throwIfAborted()
    if (isKatmanError(error, 'ARCHIVE_INVALID')) throw error
    throw isKatmanError(error) ? archiveInvalid(name, error.message, error) : error
  }

  function noteEntry(entry: TarEntry): void {
    const where = cleanPath(entry.name)
    // Readers disagree about which of two files of one name counts.
    if (pieces.has(where) || links.has(where)) {
      throw archiveInvalid(name, `it has ${shownName(where)} twice`)
    }
    if (entry.type === 'file' && entry.sparse === undefined) {
      pieces.set(where, { offset: entry.offset, size: entry.size })
    } else if (entry.type === 'hardlink') {
      links.set(where, cleanPath(entry.linkname))
    } else if (entry.type === 'symlink') {
      // Old docker archives name a layer that comes twice by a link: `../<id>/layer.tar`.
      const target = path.join(path.dirname(where), entry.linkname)
      if (!target.startsWith('..') && !target.startsWith('/')) links.set(where, target)
    }
  }

  return {
    name,
    find(wanted) {
      let where = path.normalize(wanted)
      for (let followed = 0; followed <= maxLinks; followed++) {
        const piece = pieces.get(where)
        if (piece !== undefined) return piece
        const next = links.get(where)
        if (next === undefined) return undefined
        where = next
      }
      return undefined
    },
    async readDocument({ offset, size }, what) {
      if (size > maxDocumentBytes) {
        throw archiveInvalid(name, `${what} has ${size} bytes, more than ${maxDocumentBytes}`)
      }
      await using handle = await open(file, 'r')
      const buffer = Buffer.alloc(size)
      const { bytesRead } = await handle.read(buffer, 0, size, offset)
      if (bytesRead < size) throw archiveInvalid(name, `it ends inside ${what}`)
      return buffer
    },
    read({ offset, size }, start, call) {
      if (start >= size) return nothing()
      return createReadStream(file, {
        start: offset + start,
        end: offset + size - 1,
        highWaterMark: chunkBytes,
        ...(call.signal && { signal: call.signal }),
      })
    },
  }
}

// oxlint-disable-next-line require-yield -- nothing is what it yields
async function* nothing(): Bytes {}
