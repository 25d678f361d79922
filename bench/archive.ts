// Times save to a file beside cp and sha256sum of the same bytes, and load beside docker load. `node bench/archive.ts`
import { rmSync } from 'node:fs'
import path from 'node:path'
import { startDockerd } from '../test/peers/dockerd.ts'
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
  const file = path.join(scratch, 'image.tar')
  const saved: Run[] = []
  const copied: Run[] = []
  const loaded: Run[] = []
  const docker: Run[] = []
  {
    await using source = await startRegistry()
    const name = `${source.host}/bench/large:latest`
    await putBySkopeo(image, name)
    runKatman(root, 'pull', '-q', name)
    warmMemory()
    for (let round = 0; round < rounds; round++) {
      saved.push(runKatman(root, 'save', '-o', file, name))
      const copy = path.join(scratch, 'copy.tar')
      copied.push(run(['/bin/sh', '-c', `cp ${file} ${copy} && sha256sum ${copy}`]))
      rmSync(copy)
      const other = path.join(scratch, `load-${round}`)
      loaded.push(runKatman(other, 'load', '-q', '-i', file))
      rmSync(other, { recursive: true })
      await using engine = await startDockerd()
      docker.push(run(['docker', 'load', '-q', '-i', file], { DOCKER_HOST: engine.host }))
    }
  }
  console.log(`archive of ${image.layers} layers, ${megabytes(image.compressedBytes)}`)
  report('katman save', saved)
  report('cp and sha256sum', copied)
  report('katman load', loaded)
  report('docker load (client)', docker)
  console.log(
    `  ratio of save to cp ${ratio(saved, copied)}, of load to docker ${ratio(loaded, docker)}`,
  )
  console.log(`  bound: load inflates and hashes ${megabytes(image.tarBytes)} of tar on two cores`)
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
