// Times pulls from a loopback docker-registry: Katman, skopeo (to an OCI layout: it only fetches), docker.
// Every store is a fresh folder on tmpfs; runs are interleaved; medians. `node bench/pull.ts [medium|large ...]`
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'

import { startDockerd } from '../test/peers/dockerd.ts'
import { startRegistry } from '../test/peers/registry.ts'
import { runChecked } from '../test/peers/terminal.ts'
import { debianImage, type ImageSize } from './debian-image.ts'
import { median, peakMegabytesOf, type Run, run, warmMemory } from './measure.ts'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 5)
const bundle = path.resolve(import.meta.dirname, '../dist/katman/bin/katman.js')
const cache = path.join(os.tmpdir(), 'katman-bench-images')
const chosen = process.argv.slice(2)
const sizes = (['medium', 'large'] as const).filter(
  (name) => chosen.length === 0 || chosen.includes(name),
)

if (!existsSync(bundle)) throw new Error('no release bundle: run `npm run build` first')
mkdirSync(cache, { recursive: true })
const scratch = mkdtempSync('/dev/shm/katman-bench-')
try {
  for (const size of sizes) await benchmark(size)
} finally {
  rmSync(scratch, { recursive: true, force: true })
}

async function benchmark(size: ImageSize): Promise<void> {
  const image = debianImage(size, cache)
  await using registry = await startRegistry()
  const reference = `${registry.host}/bench/${size}:latest`
  await runChecked('skopeo', [
    'copy',
    '--dest-tls-verify=false',
    `oci:${image.layout}:latest`,
    `docker://${reference}`,
  ])
  console.log(
    `\n${size}: ${image.layers} layers, ${megabytes(image.compressedBytes)} compressed, ${megabytes(image.tarBytes)} as tar`,
  )
  warmMemory()
  const katman: Run[] = []
  const again: Run[] = []
  const skopeo: Run[] = []
  for (let round = 0; round < rounds; round++) {
    const root = path.join(scratch, `katman-${round}`)
    const env = { KATMAN_ROOT: root }
    katman.push(run([process.execPath, bundle, 'pull', '-q', reference], env))
    again.push(run([process.execPath, bundle, 'pull', '-q', reference], env))
    rmSync(root, { recursive: true })
    const layout = path.join(scratch, `skopeo-${round}`)
    skopeo.push(
      run([
        'skopeo',
        'copy',
        '-q',
        '--src-tls-verify=false',
        `docker://${reference}`,
        `oci:${layout}:x`,
      ]),
    )
    rmSync(layout, { recursive: true })
  }
  const docker = await dockerRuns(reference)
  report('katman pull', katman)
  report('katman pull again', again)
  report('skopeo copy', skopeo)
  report('docker pull', docker)
  console.log(`  ratio to skopeo ${ratio(katman, skopeo)}, to docker ${ratio(katman, docker)}`)
  console.log(
    `  bound: inflating and hashing ${megabytes(image.tarBytes)} of tar on ${os.availableParallelism()} cores; skopeo inflates nothing`,
  )
}

/** A new engine for each run, because its store must be empty; its start is not timed. */
async function dockerRuns(reference: string): Promise<Run[]> {
  const runs: Run[] = []
  for (let round = 0; round < rounds; round++) {
    await using engine = await startDockerd()
    const env = { DOCKER_HOST: engine.host }
    const client = run(['docker', 'pull', '-q', reference], env)
    runs.push({ ...client, peakMegabytes: client.peakMegabytes + peakMegabytesOf(engine.pid) })
  }
  return runs
}

function report(what: string, runs: readonly Run[]): void {
  const seconds = runs.map((one) => one.seconds)
  const spread = `${Math.min(...seconds).toFixed(2)} to ${Math.max(...seconds).toFixed(2)}`
  const peak = median(runs.map((one) => one.peakMegabytes))
  console.log(
    `  ${what.padEnd(18)} ${median(seconds).toFixed(3)} s (${spread})  peak ${peak.toFixed(0)} MB`,
  )
}

function ratio(ours: readonly Run[], theirs: readonly Run[]): string {
  const of = (runs: readonly Run[]): number => median(runs.map((one) => one.seconds))
  return (of(ours) / of(theirs)).toFixed(2)
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`
}
