// Times `katman images` with 200 images against a bare `node -e 0`, both as whole processes. `node bench/start.ts`
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'

import { mediaTypes, parseDigest } from '../packages/oci/src/index.ts'
import { openStore, pullImage } from '../packages/store/src/index.ts'
import { openMemoryPlace } from '../packages/transfer/src/index.ts'
import { median, run } from './measure.ts'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 21)
const images = 200
const bundle = path.resolve(import.meta.dirname, '../dist/katman/bin/katman.js')
const root = mkdtempSync('/dev/shm/katman-bench-')
try {
  await fillStore()
  const bare: number[] = []
  const ours: number[] = []
  for (let round = 0; round < rounds; round++) {
    bare.push(run([process.execPath, '-e', '0']).seconds)
    ours.push(run([process.execPath, bundle, 'images'], { KATMAN_ROOT: root }).seconds)
  }
  const ratio = median(ours) / median(bare)
  console.log(`node -e 0                  ${(median(bare) * 1000).toFixed(1)} ms`)
  console.log(`katman images (${images} images) ${(median(ours) * 1000).toFixed(1)} ms`)
  console.log(`ratio ${ratio.toFixed(2)}`)
} finally {
  rmSync(root, { recursive: true, force: true })
}

/** 200 images that share one empty layer and differ in their config. */
async function fillStore(): Promise<void> {
  await using store = await openStore({ root })
  const place = openMemoryPlace()
  const tar = new Uint8Array(1024)
  const layer = place.add(mediaTypes.ociLayer, tar)
  const diffID = parseDigest(`sha256:${createHash('sha256').update(tar).digest('hex')}`)
  const encode = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))
  for (let number = 0; number < images; number++) {
    const config = place.add(
      mediaTypes.ociConfig,
      encode({
        architecture: 'amd64',
        os: 'linux',
        created: new Date(1_700_000_000_000 + number * 60_000).toISOString(),
        config: { Labels: { number: String(number) } },
        rootfs: { type: 'layers', diff_ids: [diffID] },
      }),
    )
    const manifest = place.add(
      mediaTypes.ociManifest,
      encode({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] }),
    )
    await place.tag(`v${number}`, manifest)
    const reference = { registry: 'registry.example', repository: 'bench/app', tag: `v${number}` }
    await pullImage(store, place, reference, { platform: { os: 'linux', architecture: 'amd64' } })
  }
}
