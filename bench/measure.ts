import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** One timed run of a whole process. */
export interface Run {
  readonly seconds: number
  readonly peakMegabytes: number
}

/** Runs a program to its end, by GNU time. Throws when it fails. */
export function run(
  command: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): Run {
  const [program = '', ...rest] = command
  const start = process.hrtime.bigint()
  const result = spawnSync('/usr/bin/time', ['-f', '%M', program, ...rest], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  })
  const seconds = Number(process.hrtime.bigint() - start) / 1e9
  if (result.status !== 0) throw new Error(`${command.join(' ')} failed: ${result.stderr}`)
  const peak = Number(result.stderr.trim().split('\n').at(-1))
  return { seconds, peakMegabytes: peak / 1024 }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** The most memory a process had, in MB. */
export function peakMegabytesOf(pid: number): number {
  const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(line?.[1] ?? Number.NaN) / 1024
}

/**
 * Touches and frees memory, because the first use of a page the host took back costs ten times a later
 * one and would be charged to whoever runs first.
 */
export function warmMemory(gigabytes = 3): void {
  execFileSync('/usr/bin/env', [
    'python3',
    '-c',
    `b=bytearray(${gigabytes}<<30)\nfor i in range(0,len(b),4096): b[i]=1`,
  ])
}
