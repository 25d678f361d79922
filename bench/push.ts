// Times a push into an empty docker-registry, and one that finds everything there: Katman, skopeo. `node bench/push.ts`
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
  const root = path.join(scratch, 'store')
  const pushed: Run[] = []
  const again: Run[] = []
  const skopeo: Run[] = []
  {
    await using source = await startRegistry()
    await putBySkopeo(image, `${source.host}/bench/large:latest`)
    runKatman(root, 'pull', '-q', `${source.host}/bench/large`)
    warmMemory()
    for (let round = 0; round < rounds; round++) {
      await using target = await startRegistry()
      const name = `${target.host}/bench/large`
      runKatman(root, 'tag', `${source.host}/bench/large`, name)
      pushed.push(runKatman(root, 'push', '-q', name))
      again.push(runKatman(root, 'push', '-q', name))
      await using other = await startRegistry()
      const words = ['skopeo', 'copy', '-q', '--dest-tls-verify=false']
      skopeo.push(
        run([...words, `oci:${image.layout}:latest`, `docker://${other.host}/bench/large:latest`]),
      )
    }
  }
  console.log(`push of ${image.layers} layers, ${megabytes(image.compressedBytes)}`)
  report('katman push', pushed)
  report('katman push again', again)
  report('skopeo copy', skopeo)
  console.log(`  ratio to skopeo ${ratio(pushed, skopeo)}`)
  console.log('  bound: what docker-registry takes; it hashes and writes every byte')
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
