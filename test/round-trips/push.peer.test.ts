import { afterAll, beforeAll, expect, it } from 'vitest'
import { type DockerdPeer, startDockerd } from '../peers/dockerd.ts'
import { describePeers } from '../peers/require-peer.ts'
import { type Facts, type ImageFacts, factsOfLayout, factsOfRegistry } from './facts.ts'
import { createVerdicts } from './verdicts.ts'
import { openWorkbench, travellers, type Workbench } from './workbench.ts'

// Pull, tag, push keeps every digest; skopeo, crane, podman and docker are the witnesses.

const verdicts = createVerdicts()
const [pushed, other] = ['pushed', 'other']
let bench: Workbench

describePeers('pushed by katman', ['docker-registry', 'skopeo', 'images'], () => {
  beforeAll(async () => {
    bench = await openWorkbench()
    for (const image of travellers) {
      const name = bench.to(pushed, image)
      await bench.katman('all', 'pull', '-q', '--platform', 'all', bench.from(image))
      await bench.katman('all', 'tag', bench.from(image), name)
      expect((await bench.katman('all', 'push', '-q', name)).stdout).toBe(`${name}\n`)
    }
  })
  afterAll(async () => {
    verdicts.print('Round trips by registry')
    await bench[Symbol.asyncDispose]()
  })

  it.each(travellers)('%s is what skopeo pushed', async (image) => {
    const sent = await bench.sent(image)
    const found = await bench.arrived(pushed, image)
    verdicts.compare(image, 'skopeo push → katman pull, push → registry', sent, found)
  })

  it.each(travellers)('%s is pulled by skopeo', async (image) => {
    const layout = bench.file('skopeo', image)
    const words = ['copy', '-q', '--all', '--src-tls-verify=false']
    await bench.skopeo(...words, `docker://${bench.to(pushed, image)}`, `oci:${layout}:x`)
    const found = await factsOfLayout(layout, 'x')
    verdicts.compare(image, 'katman push → skopeo copy', await bench.sent(image), found)
  })

  describePeers('and crane', ['crane'], () => {
    it.each(travellers)('%s is pulled and found valid', async (image) => {
      const layout = bench.file('crane', image)
      await bench.crane('pull', '--format', 'oci', bench.to(pushed, image), layout)
      const found = await factsOfLayout(layout)
      verdicts.compare(image, 'katman push → crane pull', await bench.sent(image), found)
      const validity = await bench.crane('validate', '--remote', bench.to(pushed, image))
      expect(validity.stdout).toContain('PASS')
    })

    it.each(travellers)('%s that crane pushed comes back the same', async (image) => {
      const layout = bench.file('crane', image)
      const place = `${bench.source.host}/crane/${image}`
      await bench.crane('push', layout, place)
      const found = await throughKatman('crane', image)
      verdicts.compare(image, 'crane push → katman pull, push', ...found)
    })
  })

  describePeers('and podman', ['root', 'podman'], () => {
    it.each(travellers)('%s is pulled', async (image) => {
      const sent = await bench.sent(image)
      const name = bench.to(pushed, image)
      const seen: Inspected[] = []
      for (const { platform } of sent.images) {
        await bench.podman('pull', '-q', '--tls-verify=false', '--platform', platform, name)
        const format = '{{.Id}} {{json .RootFS.Layers}} {{json .RepoDigests}}'
        const { stdout } = await bench.podman('image', 'inspect', '-f', format, name)
        seen.push(inspected(platform, stdout, sent, name))
      }
      verdicts.compare(image, 'katman push → podman pull', sent, together(seen))
    })

    it.each(travellers)('%s that podman pushed comes back the same', async (image) => {
      const place = `${bench.source.host}/podman/${image}`
      await bench.podman('pull', '-q', '--tls-verify=false', bench.from(image))
      await bench.podman('push', '-q', '--tls-verify=false', bench.from(image), place)
      verdicts.compare(
        image,
        'podman push → katman pull, push',
        ...(await throughKatman('podman', image)),
      )
    })
  })

  describePeers('and docker', ['root', 'dockerd', 'docker'], () => {
    let engine: DockerdPeer
    beforeAll(async () => {
      engine = await startDockerd()
    })
    afterAll(() => engine[Symbol.asyncDispose]())

    it.each(travellers)('%s is pulled', async (image) => {
      const sent = await bench.sent(image)
      const name = bench.to(pushed, image)
      const seen: Inspected[] = []
      for (const { platform } of sent.images) {
        await bench.docker(engine.host, 'pull', '-q', '--platform', platform, name)
        const format = '{{.Id}} {{json .RootFS.Layers}} {{json .RepoDigests}}'
        const { stdout } = await bench.docker(engine.host, 'inspect', '-f', format, name)
        seen.push(inspected(platform, stdout, sent, name))
        // This engine knows one image by a digest: the next platform needs the place.
        await bench.docker(engine.host, 'rmi', '-f', seen.at(-1)?.image.config ?? '')
      }
      // It shows one digest: of the index, or of the manifest that has none.
      const parts = [sent.isIndex ? 'index' : 'manifest', 'config', 'diffIDs'] as const
      verdicts.compare(image, 'katman push → docker pull', sent, together(seen), parts)
    })

    it.each(travellers)('%s that docker pushed comes back the same', async (image) => {
      const place = `${bench.source.host}/docker/${image}`
      await bench.docker(engine.host, 'pull', '-q', bench.from(image))
      await bench.docker(engine.host, 'tag', bench.from(image), place)
      await bench.docker(engine.host, 'push', '-q', place)
      verdicts.compare(
        image,
        'docker push → katman pull, push',
        ...(await throughKatman('docker', image)),
      )
    })
  })
})

/** What lies in the first registry, and what is in the second after a pull and a push by Katman. */
async function throughKatman(repository: string, image: string): Promise<readonly [Facts, Facts]> {
  const [name, tag = ''] = image.split(':')
  const place = `${bench.source.host}/${repository}/${image}`
  const end = bench.to(`${other}/${repository}`, image)
  await bench.katman(repository, 'pull', '-q', '--platform', 'all', place)
  await bench.katman(repository, 'tag', place, end)
  await bench.katman(repository, 'push', '-q', end)
  return [
    await factsOfRegistry(bench.source.host, `${repository}/${name}`, tag),
    await bench.arrived(`${other}/${repository}`, image),
  ]
}

/** What a program shows of an image it pulled. */
interface Inspected {
  /** The digest it knows the image by that is no manifest of an index. */
  readonly root: string
  readonly image: ImageFacts
}

/** One line of `inspect`: id, layers, and the digests that the program knows the image by. */
function inspected(platform: string, line: string, sent: Facts, name: string): Inspected {
  const [id = '', layers = '', known = ''] = line.trim().split(' ')
  const prefix = `${name.slice(0, name.lastIndexOf(':'))}@`
  const digests = (JSON.parse(known) as readonly string[])
    .filter((one) => one.startsWith(prefix))
    .map((one) => one.slice(prefix.length))
  const manifests = new Set(sent.images.map(({ manifest }) => manifest))
  const manifest = digests.find((one) => manifests.has(one)) ?? ''
  const roots = digests.filter((one) => !sent.isIndex || !manifests.has(one))
  expect(roots, `${name}: ${known}`).toHaveLength(1)
  const config = id.startsWith('sha256:') ? id : `sha256:${id}`
  const diffIDs = JSON.parse(layers) as readonly string[]
  return { root: roots[0] ?? '', image: { platform, manifest, config, diffIDs } }
}

/** The platforms of one name, which all came by the same digest. */
function together(seen: readonly Inspected[]): Facts {
  const roots = [...new Set(seen.map(({ root }) => root))]
  expect(roots).toHaveLength(1)
  const images = seen.map(({ image }) => image)
  const root = roots[0] ?? ''
  return { root, isIndex: images.every(({ manifest }) => manifest !== root), images }
}
