// Times pulls from a loopback docker-registry: Katman, skopeo (to an OCI layout: it only fetches), docker.
// Every store is a fresh folder on tmpfs; runs are interleaved; medians. `node bench/pull.ts [medium|large ...]`
import { rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'

import { startDockerd } from '../test/peers/dockerd.ts'
import { startRegistry } from '../test/peers/registry.ts'
import type { ImageSize } from './debian-image.ts'
import { peakMegabytesOf, type Run, run, warmMemory } from './measure.ts'
import {
  benchImage,
  megabytes,
  putBySkopeo,
  ratio,
  report,
  rounds,
  runKatman,
  scratchFolder,
} from './report.ts'

const chosen = process.argv.slice(2)
const sizes = (['medium', 'large'] as const).filter(
  (name) => chosen.length === 0 || chosen.includes(name),
)

const scratch = scratchFolder()
try {
  for (const size of sizes) await benchmark(size)
} finally {
  rmSync(scratch, { recursive: true, force: true })
}

async function benchmark(size: ImageSize): Promise<void> {
  const image = benchImage(size)
  await using registry = await startRegistry()
  const reference = `${registry.host}/bench/${size}:latest`
  await putBySkopeo(image, reference)
  console.log(
    `\n${size}: ${image.layers} layers, ${megabytes(image.compressedBytes)} compressed, ${megabytes(image.tarBytes)} as tar`,
  )
  warmMemory()
  const katman: Run[] = []
  const again: Run[] = []
  const skopeo: Run[] = []
  for (let round = 0; round < rounds; round++) {
    const root = path.join(scratch, `katman-${round}`)
    katman.push(runKatman(root, 'pull', '-q', reference))
    again.push(runKatman(root, 'pull', '-q', reference))
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
