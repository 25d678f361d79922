export type TarEntryType =
  | 'file'
  | 'directory'
  | 'symlink'
  | 'hardlink'
  | 'character'
  | 'block'
  | 'fifo'

/** One file of an archive, its extended headers applied. Names are as written: see `decodeName`. */
export interface TarEntry {
  readonly name: string
  readonly type: TarEntryType
  /** The permission bits, masked with 07777. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Bytes of the file's content; 0 for all but files. A sparse file's holes count. */
  readonly size: number
  /** Whole seconds since 1970, rounded down, between the years 1 and 9999. */
  readonly mtime: number
  /** Nanoseconds to add to `mtime`, 0 to 999,999,999. */
  readonly mtimeNanos: number
  /** The target of a symlink or hardlink, else empty. */
  readonly linkname: string
  readonly devMajor: number
  readonly devMinor: number
  readonly xattrs: ReadonlyMap<string, Uint8Array> | undefined
  /** Where the first header of this entry starts, in bytes from the start of the archive. */
  readonly headerOffset: number
  /** Where the stored content starts, in bytes from the start of the archive. */
  readonly offset: number
  /** Bytes stored from `offset`; less than `size` for a sparse file. */
  readonly storedSize: number
  /** For a sparse file the stored pieces: offset in the file, length, offset, length, … */
  readonly sparse: readonly number[] | undefined
}
