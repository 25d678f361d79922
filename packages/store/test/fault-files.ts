import { constants } from 'node:os'
import type { Files } from '../src/files.ts'
import { openNodeFiles } from '../src/node-files.ts'

/** What happens at a call: an error, or the end of the process. */
export type Fault = 'EIO' | 'ENOSPC' | 'EDQUOT' | 'crash'

export interface FaultFiles extends Files {
  /** Calls made so far. */
  readonly calls: () => number
  /** Whether the fault has happened. */
  readonly hasFailed: () => boolean
  /** What the kernel does when a process dies: closes its files, which frees their locks. */
  readonly die: () => void
}

/** Locks as the kernel keeps them, for all handles of a test: by inode, owned by an open file. */
export type Locks = Map<string, number>

/**
 * Node's files, failing at call number `at`. A failing write leaves half of its bytes. After a crash every
 * call fails. Locks are kept here, so that a test needs no process for each.
 */
export function openFaultFiles(
  locks: Locks,
  fault?: { readonly kind: Fault; readonly at: number },
): FaultFiles {
  const real = openNodeFiles()
  const open = new Set<number>()
  let calls = 0
  let hasCrashed = false
  let hasFailed = false

  const keyOf = (file: number): string => {
    const { device, inode } = real.statOpen(file)
    return `${device}:${inode}`
  }
  const forget = (file: number): void => {
    for (const [key, owner] of locks) if (owner === file) locks.delete(key)
    open.delete(file)
    real.close(file)
  }
  /** True when this call is the one that fails. */
  const fails = (): boolean => {
    calls++
    if (!hasCrashed && calls !== fault?.at) return false
    hasFailed = true
    hasCrashed = fault?.kind === 'crash'
    return true
  }
  const failure = (): Error => {
    const kind = fault?.kind ?? 'EIO'
    return fileError(kind === 'crash' ? 'EIO' : kind, `injected at call ${calls}`)
  }
  const now = <A extends unknown[], R>(call: (...values: A) => R) => {
    return (...values: A): R => {
      if (fails()) throw failure()
      return call(...values)
    }
  }
  return {
    calls: () => calls,
    hasFailed: () => hasFailed,
    die() {
      for (const file of open) forget(file)
    },
    open: now((path, mode) => {
      const file = real.open(path, mode)
      open.add(file)
      return file
    }),
    close(file) {
      const hasDied = hasCrashed
      const isFailing = fails()
      // A failed close closes all the same; a dead process closes nothing itself.
      if (!hasDied && !hasCrashed) forget(file)
      if (isFailing) throw failure()
    },
    read: async (file, buffer, position) => {
      if (fails()) throw failure()
      return real.read(file, buffer, position)
    },
    write: async (file, chunks, position) => {
      const hasDied = hasCrashed
      if (!fails()) return real.write(file, chunks, position)
      const half = chunks.slice(0, Math.floor(chunks.length / 2))
      if (!hasDied) await real.write(file, half, position)
      throw failure()
    },
    writeNow(file, bytes, position) {
      const hasDied = hasCrashed
      if (!fails()) return real.writeNow(file, bytes, position)
      if (!hasDied) real.writeNow(file, bytes.subarray(0, bytes.byteLength / 2), position)
      throw failure()
    },
    fsync: async (file) => {
      if (fails()) throw failure()
      return real.fsync(file)
    },
    truncate: now(real.truncate),
    readFile: now(real.readFile),
    readText: now(real.readText),
    stat: now(real.stat),
    statOpen: now(real.statOpen),
    list: now(real.list),
    mkdir: now(real.mkdir),
    makePrivate: now(real.makePrivate),
    link: now(real.link),
    rename: now(real.rename),
    unlink: now(real.unlink),
    rmdir: now(real.rmdir),
    networkKind: now(real.networkKind),
    freeBytes: now(real.freeBytes),
    lock: now((file) => {
      const key = keyOf(file)
      const owner = locks.get(key)
      if (owner !== undefined && owner !== file) return 'busy'
      locks.set(key, file)
      return 'locked'
    }),
  }
}

/** An error as Node throws it: of a full quota it knows the number and has no name. */
export function fileError(name: 'EIO' | 'ENOSPC' | 'EDQUOT', message = ''): Error {
  const code = name === 'EDQUOT' ? 'UNKNOWN' : name
  return Object.assign(new Error(`${code}: ${message}`), { code, errno: -constants.errno[name] })
}
