import { blockSize, readTarHeader, type TarHeader } from './tar-header.ts'
import { decodeName } from './tar-name.ts'
import { checkGlobalPax, parsePax, type PaxHeader } from './tar-pax.ts'
import { checkPieces, needsSparseMap, paxPieces, readSparseMap } from './tar-sparse.ts'
import type { TarEntry, TarEntryType } from './tar-entry.ts'
import { clampSeconds } from './tar-time.ts'
import { tarError, TarFault } from './tar-fault.ts'

/** Who hears of the entries. All calls happen inside `push` or `end`, in the order of the archive. */
export interface TarSink {
  entry(entry: TarEntry): void
  /** A piece of the last entry's stored content. The memory is only valid during the call. */
  body?(bytes: Uint8Array): void
  /** All stored content of the last entry was given to `body`. Called for files only. */
  bodyEnd?(): void
}

export interface TarReader {
  /** Takes the next bytes of the archive. */
  push(chunk: Uint8Array): void
  /** Says that there are no more bytes. */
  end(): void
}

/** The bounds of a {@link TarReader}. */
export interface TarLimits {
  /** Entries of an archive, extended headers included. Default 10 million. */
  readonly maxEntries?: number
  /** Bytes of one extended header, long name or sparse map. Default 1 MiB. */
  readonly maxMetaBytes?: number
}

const flags: ReadonlyMap<string, TarEntryType> = new Map([
  ['\0', 'file'],
  ['0', 'file'],
  ['1', 'hardlink'],
  ['2', 'symlink'],
  ['3', 'character'],
  ['4', 'block'],
  ['5', 'directory'],
  ['6', 'fifo'],
  ['7', 'file'],
])

/** What extended headers said before the header of their file. */
interface Extensions {
  offset: number
  pax?: PaxHeader
  name?: string
  linkname?: string
}

/** What the bytes at hand are. */
type State = 'header' | 'meta' | 'map' | 'body' | 'padding' | 'end'

/**
 * A strict reader of v7, ustar, GNU and PAX archives: one synchronous pass, content is passed over. Where readers
 * disagree it reads as Go's archive/tar (docker, podman) or refuses:
 *
 * - a PAX size replaces the header's, for the file only; a directory, link or device has no content whatever its size;
 * - an extended header applies to the next file; two of one kind, one before a global header, or one at the end are
 *   refused, and so are a long name and a PAX path that differ;
 * - the archive ends with two blocks of zeros, or where the bytes end between two entries; bytes behind are not read;
 * - old GNU sparse files (type `S`), multi-volume and unknown types are refused.
 *
 * Throws `TAR_INVALID`, `TAR_TRUNCATED` (the bytes end inside an entry) and `TAR_LIMIT`, each with
 * `details: { entry, offset, reason }`. After an error the reader must not be used again.
 */
export function createTarReader(sink: TarSink, limits: TarLimits = {}): TarReader {
  const { maxEntries = 10_000_000, maxMetaBytes = 1024 * 1024 } = limits
  const carry = Buffer.alloc(blockSize)
  let carried = 0
  let state: State = 'header'
  let position = 0
  let headers = 0
  let zeroBlocks = 0
  let left = 0
  let padding = 0
  let meta = Buffer.alloc(0)
  let metaFlag = ''
  let metaFilled = 0
  let headerOffset = 0
  let current: string | undefined
  let extensions: Extensions | undefined
  let sparseEntry: TarEntry | undefined

  return {
    push(chunk) {
      guard(() => {
        take(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
      })
    },
    end() {
      guard(finish)
    },
  }

  function guard(step: () => void): void {
    try {
      step()
    } catch (error) {
      throw error instanceof TarFault ? tarError(error, headerOffset, current) : error
    }
  }

  function take(chunk: Buffer): void {
    const base = position
    let at = 0
    while (at < chunk.length) {
      const available = chunk.length - at
      switch (state) {
        case 'header':
          if (carried === 0 && available >= blockSize) {
            position = base + at + blockSize
            takeHeader(chunk, at)
            at += blockSize
          } else {
            const count = chunk.copy(carry, carried, at, at + blockSize - carried)
            carried += count
            at += count
            if (carried < blockSize) break
            carried = 0
            position = base + at
            takeHeader(carry, 0)
          }
          break
        case 'meta':
        case 'map': {
          const count = chunk.copy(meta, metaFilled, at, at + Math.min(left, available))
          metaFilled += count
          left -= count
          at += count
          position = base + at
          if (left === 0) takeMeta()
          break
        }
        case 'body': {
          const count = Math.min(left, available)
          sink.body?.(chunk.subarray(at, at + count))
          left -= count
          at += count
          if (left === 0) endBody()
          break
        }
        case 'padding': {
          const count = Math.min(padding, available)
          padding -= count
          at += count
          if (padding === 0) state = 'header'
          break
        }
        case 'end':
          at = chunk.length
      }
    }
    position = base + chunk.length
  }

  function takeHeader(block: Buffer, at: number): void {
    const start = position - blockSize
    if (extensions === undefined) {
      headerOffset = start
      current = undefined
    }
    const header = readTarHeader(block, at)
    if (header === undefined) {
      if (extensions !== undefined)
        throw new TarFault('an extended header without a file behind it')
      zeroBlocks += 1
      if (zeroBlocks === 2) state = 'end'
      return
    }
    if (zeroBlocks > 0) throw new TarFault('a block of zeros between entries')
    headers += 1
    if (headers > maxEntries) throw new TarFault(`more than ${maxEntries} entries`, 'TAR_LIMIT')
    current = extensions?.pax?.path ?? extensions?.name ?? header.name
    const isMeta = 'xgLK'.includes(header.flag)
    if (isMeta) startMeta(header, start)
    else takeEntry(header, start)
  }

  function startMeta(header: TarHeader, start: number): void {
    const size = contentSize(header.size)
    if (size > maxMetaBytes) {
      throw new TarFault(`an extended header of ${size} bytes`, 'TAR_LIMIT')
    }
    metaFlag = header.flag
    if (metaFlag === 'g') {
      if (extensions !== undefined) throw new TarFault('a global header behind an extended one')
    } else {
      extensions ??= { offset: start }
    }
    collect('meta', size)
    padding = paddingOf(size)
    if (size === 0) takeMeta()
  }

  function collect(next: 'meta' | 'map', size: number): void {
    state = next
    meta = Buffer.allocUnsafe(size)
    metaFilled = 0
    left = size
  }

  function takeMeta(): void {
    if (state === 'map') {
      takeMap()
      return
    }
    state = padding > 0 ? 'padding' : 'header'
    if (metaFlag === 'g') {
      checkGlobalPax(meta)
    } else if (extensions !== undefined) {
      if (metaFlag === 'x') {
        if (extensions.pax !== undefined) throw new TarFault('two extended headers for one file')
        extensions.pax = parsePax(meta)
      } else if (metaFlag === 'L') {
        if (extensions.name !== undefined) throw new TarFault('two long names for one file')
        extensions.name = longName(meta)
      } else {
        if (extensions.linkname !== undefined) throw new TarFault('two long links for one file')
        extensions.linkname = longName(meta)
      }
    }
    meta = Buffer.alloc(0)
  }

  function takeEntry(header: TarHeader, start: number): void {
    const { offset: first = start, pax, name: gnuName, linkname: gnuLink } = extensions ?? {}
    extensions = undefined
    headerOffset = first
    const name = oneOf('name', gnuName, pax?.sparse?.name ?? pax?.path) ?? header.name
    current = name
    const linkname = oneOf('link', gnuLink, pax?.linkpath) ?? header.linkname
    const type = typeOf(header.flag, name)
    const stored = contentSize(pax?.size ?? header.size)
    const storedSize = type === 'file' ? stored : 0
    const isLink = type === 'symlink' || type === 'hardlink'
    const seconds = Math.floor(header.mtime)
    const entry: TarEntry = {
      name,
      type,
      mode: modeOf(header.mode),
      uid: pax?.uid ?? header.uid,
      gid: pax?.gid ?? header.gid,
      size: storedSize,
      mtime: pax?.mtime?.seconds ?? clampSeconds(seconds),
      mtimeNanos: pax?.mtime?.nanos ?? 0,
      linkname: isLink ? linkname : '',
      devMajor: header.devMajor,
      devMinor: header.devMinor,
      xattrs: pax?.xattrs,
      headerOffset,
      offset: position,
      storedSize,
      sparse: undefined,
    }
    padding = paddingOf(storedSize)
    if (pax?.sparse === undefined) {
      give(entry)
    } else if (type !== 'file') {
      throw new TarFault('a sparse map on something that is no file')
    } else if (needsSparseMap(pax.sparse)) {
      sparseEntry = { ...entry, size: pax.sparse.realSize ?? 0 }
      growMap()
    } else {
      const { size, pieces } = paxPieces(pax.sparse)
      checkPieces(pieces, size, storedSize)
      give({ ...entry, size, sparse: pieces })
    }
  }

  function give(entry: TarEntry): void {
    sink.entry(entry)
    left = entry.storedSize
    if (left > 0) state = 'body'
    else if (entry.type === 'file') endBody()
    else state = 'header'
  }

  function endBody(): void {
    sink.bodyEnd?.()
    state = padding > 0 ? 'padding' : 'header'
  }

  /** Reads one more block of a sparse map that stands before the content (PAX sparse format 1.0). */
  function growMap(): void {
    const filled = state === 'map' ? meta : Buffer.alloc(0)
    const size = filled.length + blockSize
    if (sparseEntry === undefined || size > sparseEntry.storedSize) {
      throw new TarFault('the sparse map is longer than the file')
    }
    if (size > maxMetaBytes) throw new TarFault('a sparse map of this size', 'TAR_LIMIT')
    collect('map', blockSize)
    meta = Buffer.concat([filled, Buffer.allocUnsafe(blockSize)])
    metaFilled = filled.length
  }

  function takeMap(): void {
    const pieces = readSparseMap(meta)
    if (pieces === undefined || sparseEntry === undefined) {
      growMap()
      return
    }
    const entry = {
      ...sparseEntry,
      offset: sparseEntry.offset + meta.length,
      storedSize: sparseEntry.storedSize - meta.length,
      sparse: pieces,
    }
    sparseEntry = undefined
    meta = Buffer.alloc(0)
    checkPieces(pieces, entry.size, entry.storedSize)
    give(entry)
  }

  function finish(): void {
    const between = state === 'header' && carried === 0 && extensions === undefined
    if (state === 'end' || between) return
    throw new TarFault('the bytes end inside an entry', 'TAR_TRUNCATED')
  }
}

function typeOf(flag: string, name: string): TarEntryType {
  const type = flags.get(flag)
  if (type === undefined) {
    throw new TarFault(`unsupported entry type ${JSON.stringify(flag)}`)
  }
  if (type !== 'file' || !name.endsWith('/')) return type
  // The oldest archives mark a directory by a slash alone; with a modern type readers disagree on what this is.
  if (flag === '\0') return 'directory'
  throw new TarFault('the name of a file ends with a slash')
}

function contentSize(size: number): number {
  if (!Number.isSafeInteger(size) || size < 0) {
    throw new TarFault('the size is negative or more than 2^53 - 1')
  }
  return size
}

function modeOf(mode: number): number {
  if (!Number.isSafeInteger(mode) || mode < 0) throw new TarFault('the mode is out of range')
  // No `&`: the field may hold more than 32 bits.
  return mode % 0o10000
}

function paddingOf(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize
}

function longName(body: Buffer): string {
  const nul = body.indexOf(0)
  const end = nul === -1 ? body.length : nul
  if (end === 0) throw new TarFault('an empty long name')
  if (body.subarray(end).some((byte) => byte !== 0)) throw new TarFault('NUL in a long name')
  return decodeName(body, 0, end)
}

function oneOf(what: string, gnu: string | undefined, pax: string | undefined): string | undefined {
  if (gnu !== undefined && pax !== undefined && gnu !== pax) {
    throw new TarFault(`two different long ${what}s for one file`)
  }
  return gnu ?? pax
}
