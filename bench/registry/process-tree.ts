import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

/** What a server and all processes it started use. */
export interface Usage {
  /** Resident now, in MB. */
  readonly residentMegabytes: number
  /** The sum of the most each process ever had, in MB. */
  readonly peakMegabytes: number
  /** User and system time so far, in seconds. */
  readonly cpuSeconds: number
}

/** Linux counts processor time in hundredths of a second. */
const ticksPerSecond = 100

export function usageOf(pid: number): Usage {
  let residentMegabytes = 0
  let peakMegabytes = 0
  let cpuSeconds = 0
  for (const one of processTree(pid)) {
    const status = readFileSync(`/proc/${one}/status`, 'utf8')
    residentMegabytes += kilobytes(status, 'VmRSS') / 1024
    peakMegabytes += kilobytes(status, 'VmHWM') / 1024
    cpuSeconds += ticks(one) / ticksPerSecond
  }
  return { residentMegabytes, peakMegabytes, cpuSeconds }
}

/** Begins the count of `peakMegabytes` anew. */
export function forgetPeak(pid: number): void {
  for (const one of processTree(pid)) writeFileSync(`/proc/${one}/clear_refs`, '5')
}

function processTree(pid: number): readonly number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const parent = fieldsOf(Number(name))?.[1]
    if (parent !== undefined) parents.set(Number(name), Number(parent))
  }
  const found = [pid]
  for (const one of found) {
    for (const [child, parent] of parents) if (parent === one) found.push(child)
  }
  return found
}

function ticks(pid: number): number {
  const fields = fieldsOf(pid)
  return Number(fields?.[11] ?? 0) + Number(fields?.[12] ?? 0)
}

/** The fields of /proc/PID/stat after the name, which may hold anything: state, parent, … */
function fieldsOf(pid: number): readonly string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    // It has ended since it was listed.
    return undefined
  }
}

function kilobytes(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0)
}
