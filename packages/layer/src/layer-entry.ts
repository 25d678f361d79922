import { KatmanError } from '@katman/oci'
import {
  baseName,
  cleanPath,
  maxPathBytes,
  parentPath,
  pathInvalid,
  rootPath,
} from './layer-path.ts'
import { nameLength, shownName } from './tar-name.ts'
import type { TarEntry, TarEntryType } from './tar-entry.ts'

export type LayerEntryType = TarEntryType | 'whiteout' | 'opaque'

/** One entry of a layer (image-spec layer.md), checked: everything here may be relied on. */
export interface LayerEntry {
  /**
   * Clean and relative, `/` between components, `.` for the root itself. For a whiteout the path that it removes, for
   * an opaque mark its directory. Bytes that are no UTF-8 are lone surrogates U+DC80 to U+DCFF, one for each.
   */
  readonly path: string
  readonly type: LayerEntryType
  /** Permission bits, 0 to 07777. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Bytes of content; 0 for all but files. The holes of a sparse file count. */
  readonly size: number
  /** Whole seconds since 1970, rounded down, between the years 1 and 9999. */
  readonly mtime: number
  /** Nanoseconds to add to `mtime`; absent for 0. */
  readonly mtimeNanos?: number
  /** A symlink's target as written, or the clean path that a hardlink shares. */
  readonly linkname?: string
  readonly devMajor?: number
  readonly devMinor?: number
  readonly xattrs?: ReadonlyMap<string, Uint8Array>
  /** Where the content starts in the uncompressed layer, in bytes. */
  readonly offset: number
  /** The stored pieces of a sparse file, one after the other from `offset`: offset in the file, length, … */
  readonly sparse?: readonly number[]
  /** The sha256 of the content in hex: of files, when asked for, never of sparse ones. */
  readonly sha256?: string
}

/** What docker counts of an entry in the size of a layer: a file's content, a symlink's target. In bytes. */
export function dockerSize(entry: LayerEntry): number {
  return entry.type === 'symlink' ? nameLength(entry.linkname ?? '') : entry.size
}

const whiteoutPrefix = '.wh.'
const opaqueName = '.wh..wh..opq'
/** What the AUFS driver kept in the root of its layers. Old images still carry it; it says nothing to us. */
const aufsNames: ReadonlySet<string> = new Set(['.wh..wh.plnk', '.wh..wh.aufs', '.wh..wh.orph'])

const maxId = 2 ** 32 - 2
/** The device numbers that Linux keeps: 12 and 20 bits. More would be cut, and 4096:0 become 0:0. */
const maxMajor = 2 ** 12 - 1
const maxMinor = 2 ** 20 - 1

/**
 * The layer entry of an archive entry; undefined for AUFS metadata, which is passed over. Throws `LAYER_PATH_INVALID`
 * for names (see {@link cleanPath}), and for a hard link or symlink without a usable target; `LAYER_ENTRY_INVALID` for
 * malformed whiteouts, a root that is no directory, the device 0:0 (an overlay whiteout) and ids beyond 2^32 - 2.
 */
export function layerEntry(entry: TarEntry): LayerEntry | undefined {
  const path = cleanPath(entry.name)
  if (path.includes(whiteoutPrefix)) {
    const first = path.slice(0, path.includes('/') ? path.indexOf('/') : path.length)
    if (aufsNames.has(first)) return undefined
    const parent = parentPath(path)
    if (parent.startsWith(whiteoutPrefix) || parent.includes(`/${whiteoutPrefix}`)) {
      throw entryInvalid(entry, 'a whiteout that is a directory')
    }
    if (baseName(path).startsWith(whiteoutPrefix)) return whiteout(entry, path)
  }
  checkIds(entry)
  if (path === rootPath && entry.type !== 'directory') {
    throw entryInvalid(entry, 'the root is no directory')
  }
  const { type, mode, uid, gid, size, mtime, mtimeNanos, xattrs, offset, sparse } = entry
  const linkname = linkOf(entry, path)
  const isDevice = type === 'character' || type === 'block'
  if (isDevice) checkDevice(entry)
  return {
    path,
    type,
    mode,
    uid,
    gid,
    size,
    mtime,
    ...(mtimeNanos !== 0 && { mtimeNanos }),
    ...(linkname !== undefined && { linkname }),
    ...(isDevice && { devMajor: entry.devMajor, devMinor: entry.devMinor }),
    ...(xattrs !== undefined && { xattrs }),
    offset,
    ...(sparse !== undefined && { sparse }),
  }
}

function whiteout(entry: TarEntry, path: string): LayerEntry {
  const parent = parentPath(path)
  const name = baseName(path)
  const removed = name.slice(whiteoutPrefix.length)
  const isOpaque = name === opaqueName
  if (!isOpaque) {
    if (removed === '' || removed === '.' || removed === '..') {
      throw entryInvalid(entry, 'a whiteout of nothing')
    }
    if (removed.startsWith(whiteoutPrefix)) throw entryInvalid(entry, 'a whiteout of a whiteout')
  }
  // AUFS kept all whiteouts of a layer as hard links of one file, and old images show them so.
  const isLink =
    entry.type === 'hardlink' && baseName(cleanPath(entry.linkname)).startsWith(whiteoutPrefix)
  if (entry.type !== 'file' && !isLink) throw entryInvalid(entry, 'a whiteout that is no file')
  const target = parent === rootPath ? removed : `${parent}/${removed}`
  return {
    path: isOpaque ? parent : target,
    type: isOpaque ? 'opaque' : 'whiteout',
    mode: 0,
    uid: 0,
    gid: 0,
    size: 0,
    mtime: entry.mtime,
    offset: entry.offset,
  }
}

function linkOf(entry: TarEntry, path: string): string | undefined {
  const { type, linkname } = entry
  if (type === 'symlink') {
    if (linkname === '') throw pathInvalid(entry.name, 'a symbolic link to nothing')
    if (linkname.length > maxPathBytes / 3 && nameLength(linkname) > maxPathBytes) {
      throw pathInvalid(entry.name, `a symbolic link of more than ${maxPathBytes} bytes`)
    }
    return linkname
  }
  if (type !== 'hardlink') return undefined
  if (linkname === '') throw pathInvalid(entry.name, 'a hard link to nothing')
  const target = cleanPath(linkname)
  if (target === rootPath) throw pathInvalid(entry.name, 'a hard link to the root')
  if (target === path) throw pathInvalid(entry.name, 'a hard link to itself')
  return target
}

function checkIds(entry: TarEntry): void {
  for (const id of [entry.uid, entry.gid]) {
    if (!(id >= 0 && id <= maxId)) throw entryInvalid(entry, 'a user or group id out of range')
  }
}

function checkDevice(entry: TarEntry): void {
  const { devMajor, devMinor } = entry
  if (!(devMajor >= 0 && devMajor <= maxMajor && devMinor >= 0 && devMinor <= maxMinor)) {
    throw entryInvalid(entry, 'a device number out of range')
  }
  if (entry.type === 'character' && devMajor === 0 && devMinor === 0) {
    throw entryInvalid(
      entry,
      'the character device 0:0, which overlay file systems take for a whiteout',
    )
  }
}

function entryInvalid(entry: TarEntry, reason: string): KatmanError {
  return new KatmanError(
    'LAYER_ENTRY_INVALID',
    `layer, entry ${shownName(entry.name)}: ${reason}`,
    {
      hint: 'the layer was made wrongly or to deceive; it is not used',
      details: { entry: entry.name.slice(0, maxPathBytes), offset: entry.headerOffset, reason },
    },
  )
}
