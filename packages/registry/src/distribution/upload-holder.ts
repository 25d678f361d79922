import { randomUUID } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** One registry in one process, as a row names who writes to an upload. */
export interface UploadHolder {
  readonly name: string
  /** Whether a holder is surely gone: a process of this machine that does not run any more. */
  isGone(name: string): boolean
}

/** Reads where a process runs and since when; the default asks this machine. */
export interface ProcessTable {
  /** Where process numbers mean the same: names of machines repeat, and containers count for themselves. */
  readonly place: string
  readonly pid: number
  isRunning(pid: number): boolean
  /** When it was started, as text; undefined where the machine does not say. */
  startOf(pid: number): string | undefined
}

export function createUploadHolder(table: ProcessTable = machineTable()): UploadHolder {
  const machine = encodeURIComponent(table.place)
  const start = table.startOf(table.pid) ?? ''
  return {
    name: `${machine}/${table.pid}/${start}/${randomUUID()}`,
    isGone(name) {
      const [where, pid, since = ''] = name.split('/')
      if (where !== machine) return false
      if (!table.isRunning(Number(pid))) return true
      const now = table.startOf(Number(pid))
      // Another process with the same number.
      return now !== undefined && since !== '' && now !== since
    },
  }
}

function machineTable(): ProcessTable {
  const place = [
    hostname(),
    read(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')),
    read(() => readlinkSync('/proc/self/ns/pid')),
  ]
  return {
    place: place.map((part) => part?.trim() ?? '').join(' '),
    pid: process.pid,
    isRunning,
    startOf(pid) {
      const status = read(() => readFileSync(`/proc/${pid}/stat`, 'utf8'))
      // The name of the program, in brackets, may hold anything; then the start is the 20th.
      return status?.slice(status.lastIndexOf(')') + 2).split(' ')[19]
    },
  }
}

/** Undefined where the system has no such file. */
function read(get: () => string): string | undefined {
  try {
    return get()
  } catch {
    return undefined
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Of another user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
