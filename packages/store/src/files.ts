import { constants } from 'node:os'

/** What a path is, without following links. */
export interface FileFacts {
  readonly kind: 'file' | 'folder' | 'other'
  readonly size: number
  /** Milliseconds since 1970. */
  readonly modifiedAt: number
  readonly inode: number
  readonly device: number
  readonly owner: number
  /** Permission bits only. */
  readonly mode: number
}

/** How a file is opened: `create` fails when it exists, `update` makes it when missing. */
export type OpenMode = 'read' | 'create' | 'update'

/**
 * Every call the store makes on its files, and the only way it makes them, so that a test can let any of
 * them fail or stop the world. Short calls are synchronous: a promise costs more than the call. Calls that
 * may wait for the device, or move much, are asynchronous. Errors are those of Node, with `code`.
 */
export interface Files {
  /** Opens a regular file, or a folder for {@link Files.fsync}; never through a link. New files get 0600. */
  readonly open: (path: string, mode: OpenMode) => number
  readonly close: (file: number) => void
  /** Reads into the whole buffer, or less at the end of the file. */
  readonly read: (file: number, buffer: Uint8Array, position: number) => Promise<number>
  /** Writes every chunk, one after the other. */
  readonly write: (file: number, chunks: readonly Uint8Array[], position: number) => Promise<void>
  /** Writes a few bytes now. */
  readonly writeNow: (file: number, bytes: Uint8Array, position: number) => void
  /** Waits until the device has the file. After an error the file is worthless: never call it again. */
  readonly fsync: (file: number) => Promise<void>
  readonly truncate: (file: number, size: number) => void
  /** Reads a small file whole. */
  readonly readFile: (path: string) => Uint8Array
  /** Reads a small file of text whole: half the cost. What is no UTF-8 becomes U+FFFD. */
  readonly readText: (path: string) => string
  /** Undefined when there is nothing. */
  readonly stat: (path: string) => FileFacts | undefined
  /** The facts of an open file. */
  readonly statOpen: (file: number) => FileFacts
  readonly list: (folder: string) => readonly string[]
  /** Makes one folder, 0700. */
  readonly mkdir: (folder: string) => void
  /** Takes every right from others: 0700. */
  readonly makePrivate: (folder: string) => void
  /** A second name for a file; fails when the name is taken. */
  readonly link: (from: string, to: string) => void
  /** Replaces a file; fails on a folder that is not empty. */
  readonly rename: (from: string, to: string) => void
  readonly unlink: (path: string) => void
  readonly rmdir: (folder: string) => void
  /** The kind of network file system a path is on (`nfs`, `smb`, …); undefined for one of this machine. */
  readonly networkKind: (path: string) => string | undefined
  /** Bytes this user may still write to the file system of a path. */
  readonly freeBytes: (path: string) => number
  /**
   * Takes the kernel's exclusive lock of an open file without waiting. It falls with the file, and with the
   * process however that dies.
   */
  readonly lock: (file: number) => 'locked' | 'busy' | 'unsupported'
}

/** The `code` of a file error. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  // Of a full quota Node knows only the number.
  if ('errno' in error && error.errno === -constants.errno.EDQUOT) return 'EDQUOT'
  return typeof error.code === 'string' ? error.code : undefined
}

/** Runs a call and says whether it worked; the named codes mean it did not, any other error is thrown. */
export function unless(codes: readonly string[], call: () => void): boolean {
  try {
    call()
    return true
  } catch (error) {
    if (codes.includes(errorCode(error) ?? '')) return false
    throw error
  }
}
