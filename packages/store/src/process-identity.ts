import fs from 'node:fs'

/** What tells a process from every other, also after its number was given to another. */
export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks after boot, from `/proc`; empty where there is none. */
  readonly startTime: string
  readonly bootId: string
  /** Numbers mean something in one namespace only. */
  readonly pidNamespace: string
}

export function ownIdentity(): ProcessIdentity {
  return {
    pid: process.pid,
    startTime: startTimeOf(process.pid) ?? '',
    bootId: bootId(),
    pidNamespace: pidNamespace(),
  }
}

/** False only when the process is certainly gone. */
export function mayBeAlive(identity: ProcessIdentity): boolean {
  if (identity.bootId !== bootId()) return false
  if (identity.pidNamespace !== pidNamespace()) return true
  try {
    process.kill(identity.pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
  const startTime = startTimeOf(identity.pid)
  return startTime === undefined || startTime === identity.startTime
}

function bootId(): string {
  return readProc(() => fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()) ?? ''
}

function pidNamespace(): string {
  return readProc(() => fs.readlinkSync('/proc/self/ns/pid')) ?? ''
}

function startTimeOf(pid: number): string | undefined {
  const stat = readProc(() => fs.readFileSync(`/proc/${pid}/stat`, 'utf8'))
  // The second field is the program's name in brackets and may hold anything; the 22nd is the start time.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
}

function readProc(read: () => string): string | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
