import { existsSync, mkdirSync, mkdtempSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { runChecked } from '../test/peers/terminal.ts'
import { type BenchImage, debianImage, type ImageSize } from './debian-image.ts'
import { median, type Run, run } from './measure.ts'

/** The release that is measured. Throws when there is none. */
export function releaseProgram(): string {
  const program = path.resolve(import.meta.dirname, '../dist/katman/bin/katman.js')
  if (!existsSync(program)) throw new Error('no release bundle: run `npm run build` first')
  return program
}

/** A folder on tmpfs: registries of peers go there, too. */
export function scratchFolder(): string {
  const folder = mkdtempSync('/dev/shm/katman-bench-')
  process.env['KATMAN_PEER_DIR'] = folder
  return folder
}

export function benchImage(size: ImageSize): BenchImage {
  const cache = path.join(os.tmpdir(), 'katman-bench-images')
  mkdirSync(cache, { recursive: true })
  return debianImage(size, cache)
}

/** How often each is measured; runs are interleaved. */
export const rounds = Number(process.env['BENCH_ROUNDS'] ?? 5)

export function runKatman(root: string, ...words: readonly string[]): Run {
  return run([process.execPath, releaseProgram(), ...words], { KATMAN_ROOT: root })
}

export async function putBySkopeo(image: BenchImage, target: string): Promise<void> {
  const flags = ['copy', '-q', '--dest-tls-verify=false']
  await runChecked('skopeo', [...flags, `oci:${image.layout}:latest`, `docker://${target}`])
}

/** Prints the median, its spread and the peak memory of some runs. */
export function report(what: string, runs: readonly Run[]): void {
  const seconds = runs.map((one) => one.seconds)
  const spread = `${Math.min(...seconds).toFixed(2)} to ${Math.max(...seconds).toFixed(2)}`
  const peak = median(runs.map((one) => one.peakMegabytes))
  console.log(
    `  ${what.padEnd(24)} ${median(seconds).toFixed(3)} s (${spread})  peak ${peak.toFixed(0)} MB`,
  )
}

export function ratio(ours: readonly Run[], theirs: readonly Run[]): string {
  const of = (runs: readonly Run[]): number => median(runs.map((one) => one.seconds))
  return (of(ours) / of(theirs)).toFixed(2)
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`
}
