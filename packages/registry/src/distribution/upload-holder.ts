import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'

/** One registry in one process, as a row names who writes to an upload. */
export interface UploadHolder {
  readonly name: string
  /** Whether a holder is surely gone: a process of this machine that does not run any more. */
  isGone(name: string): boolean
}

export function createUploadHolder(): UploadHolder {
  const machine = encodeURIComponent(hostname())
  return {
    name: `${machine}/${process.pid}/${randomUUID()}`,
    isGone(name) {
      const [where, pid] = name.split('/')
      return where === machine && !isRunning(Number(pid))
    },
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
