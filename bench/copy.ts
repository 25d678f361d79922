// Times a copy from one docker-registry to another: Katman, skopeo. `node bench/copy.ts`
import { rmSync } from 'node:fs'
import path from 'node:path'
import { startRegistry } from '../test/peers/registry.ts'
import { type Run, run, warmMemory } from './measure.ts'
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

const scratch = scratchFolder()
try {
  const image = benchImage('large')
  const katman: Run[] = []
  const skopeo: Run[] = []
  {
    await using source = await startRegistry()
    const from = `${source.host}/bench/large:latest`
    await putBySkopeo(image, from)
    warmMemory()
    for (let round = 0; round < rounds; round++) {
      await using target = await startRegistry()
      katman.push(runKatman(path.join(scratch, 'store'), 'cp', '-q', from, `${target.host}/b/l:1`))
      await using other = await startRegistry()
      const flags = ['-q', '--src-tls-verify=false', '--dest-tls-verify=false']
      skopeo.push(
        run(['skopeo', 'copy', ...flags, `docker://${from}`, `docker://${other.host}/b/l:1`]),
      )
    }
  }
  console.log(`copy of ${image.layers} layers, ${megabytes(image.compressedBytes)}`)
  report('katman cp', katman)
  report('skopeo copy', skopeo)
  console.log(`  ratio to skopeo ${ratio(katman, skopeo)}`)
  console.log('  bound: two docker-registry processes on the same cores')
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
