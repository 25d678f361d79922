import { KatmanError } from '@katman/oci'
import { errorCode, type Files } from './files.ts'

/** Codes that are answers, not failures: the callers ask for them. */
const answers = new Set(['ENOENT', 'EEXIST', 'ENOTEMPTY', 'ENOTDIR', 'EISDIR'])

/**
 * The same files, with failures as coded errors: `STORE_FULL`, `STORE_PERMISSIONS`, `STORE_READ_ONLY`,
 * `STORE_IO`. Codes that callers ask for (`ENOENT`, `EEXIST`, …) pass.
 */
export function withClearErrors(files: Files, root: string): Files {
  const clear = (error: unknown, path?: unknown): unknown => {
    const code = errorCode(error)
    if (code === undefined || error instanceof KatmanError || answers.has(code)) return error
    return fileError(error, code, typeof path === 'string' ? path : root)
  }
  const now = <A extends unknown[], R>(call: (...values: A) => R) => {
    return (...values: A): R => {
      try {
        return call(...values)
      } catch (error) {
        throw clear(error, values[0])
      }
    }
  }
  const later = <A extends unknown[], R>(call: (...values: A) => Promise<R>) => {
    return async (...values: A): Promise<R> => {
      try {
        return await call(...values)
      } catch (error) {
        throw clear(error)
      }
    }
  }
  return {
    open: now(files.open),
    close: now(files.close),
    read: later(files.read),
    write: later(files.write),
    writeNow: now(files.writeNow),
    fsync: later(files.fsync),
    truncate: now(files.truncate),
    readFile: now(files.readFile),
    readText: now(files.readText),
    stat: now(files.stat),
    statOpen: now(files.statOpen),
    list: now(files.list),
    mkdir: now(files.mkdir),
    makePrivate: now(files.makePrivate),
    link: now(files.link),
    rename: now(files.rename),
    unlink: now(files.unlink),
    rmdir: now(files.rmdir),
    networkKind: now(files.networkKind),
    freeBytes: now(files.freeBytes),
    lock: now(files.lock),
  }
}

/** True for an error of the store's own files, and not of where content comes from. */
export function isFileError(error: unknown): boolean {
  return error instanceof KatmanError && error.details['errno'] !== undefined
}

function fileError(cause: unknown, errno: string, path: string): KatmanError {
  const details = { path, errno }
  switch (errno) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new KatmanError('STORE_FULL', `no space left for ${path}`, {
        hint: 'remove images you do not need, or free space on that disk',
        details,
        cause,
      })
    case 'EACCES':
    case 'EPERM':
      return new KatmanError('STORE_PERMISSIONS', `permission denied: ${path}`, {
        hint: 'use a store of your own with --root or KATMAN_ROOT',
        details,
        cause,
      })
    case 'EROFS':
      return new KatmanError('STORE_READ_ONLY', `the file system is read-only: ${path}`, {
        details,
        cause,
      })
    default:
      return new KatmanError('STORE_IO', `${errno} at ${path}`, {
        hint: 'the disk or file system failed; look into the system log, then run: katman fsck',
        details,
        cause,
      })
  }
}
