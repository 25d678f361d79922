import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DockerdPeer, startDockerd } from '../peers/dockerd.ts'
import { describePeers } from '../peers/require-peer.ts'
import { type Facts, factsOfFolder, factsOfLayout, type ImageFacts } from './facts.ts'
import { createVerdicts } from './verdicts.ts'
import { openWorkbench, travellers, type Workbench } from './workbench.ts'

// Archives between Katman, docker, skopeo and podman, both ways, platform by platform where the format has but one.

const verdicts = createVerdicts()
const format = '{{.Id}} {{json .RootFS.Layers}}'
/** What an archive of docker's own kind keeps: it has no manifest. */
const inside = ['config', 'diffIDs'] as const
let bench: Workbench

describePeers('archives', ['docker-registry', 'skopeo', 'images'], () => {
  beforeAll(async () => {
    bench = await openWorkbench()
    for (const image of travellers) {
      await bench.katman('all', 'pull', '-q', '--platform', 'all', bench.from(image))
    }
  })
  afterAll(async () => {
    verdicts.print('Round trips by archive')
    await bench[Symbol.asyncDispose]()
  })

  describe.each(travellers)('of %s', (image) => {
    it('saved by katman, read by skopeo as oci-archive', async () => {
      const archive = bench.file('saved', image)
      await bench.katman('all', 'save', '-o', archive, bench.from(image))
      const layout = bench.file('saved-layout', image)
      const tag = image.split(':')[1] ?? ''
      await bench.skopeo('copy', '-q', '--all', `oci-archive:${archive}:${tag}`, `oci:${layout}:x`)
      const found = await factsOfLayout(layout, 'x')
      const route = 'katman save → skopeo copy oci-archive:'
      verdicts.compare(image, route, await bench.sent(image), found)
    })

    it('copied by katman cp to oci-archive, read by skopeo', async () => {
      const archive = bench.file('cp', image)
      await bench.katman('none', 'cp', '-q', bench.from(image), `oci-archive:${archive}`)
      const layout = bench.file('cp-layout', image)
      await bench.skopeo('copy', '-q', '--all', `oci-archive:${archive}`, `oci:${layout}:x`)
      const found = await factsOfLayout(layout, 'x')
      const route = 'katman cp → skopeo copy oci-archive:'
      verdicts.compare(image, route, await bench.sent(image), found)
    })

    it('written by skopeo as oci-archive, loaded and pushed by katman', async () => {
      const archive = bench.file('skopeo', image)
      const words = ['copy', '-q', '--all', '--src-tls-verify=false']
      const name = bench.to('loaded', image)
      const place = `docker://${bench.from(image)}`
      await bench.skopeo(...words, place, `oci-archive:${archive}:${name}`)
      const loaded = await bench.katman('loaded', 'load', '-i', archive)
      expect(loaded.stdout).toBe(`Loaded image: ${name}\n`)
      await bench.katman('loaded', 'push', '-q', name)
      const sent = await bench.sent(image)
      const route = 'skopeo copy oci-archive: → katman load, push'
      verdicts.compare(image, route, sent, await bench.arrived('loaded', image))

      const copied = bench.to('copied', image)
      await bench.katman('none', 'cp', '-q', `oci-archive:${archive}`, copied)
      const cpRoute = 'skopeo copy oci-archive: → katman cp'
      verdicts.compare(image, cpRoute, sent, await bench.arrived('copied', image))
    })

    it('saved by katman, read by skopeo as docker-archive', async () => {
      const images = await eachPlatform(image, async ({ platform }, key) => {
        const archive = bench.file('saved-docker', key)
        const words = ['save', '--platform', platform, '-o', archive]
        await bench.katman('all', ...words, bench.from(image))
        // A plain folder: on its way to an OCI layout skopeo rewrites the config.
        const folder = bench.file('saved-docker-folder', key)
        await bench.skopeo('copy', '-q', `docker-archive:${archive}`, `dir:${folder}`)
        return onlyImage(await factsOfFolder(folder))
      })
      await compareInside(image, 'katman save → skopeo copy docker-archive:', images)
    })

    it('written by skopeo as docker-archive, loaded by katman', async () => {
      const images = await eachPlatform(image, async ({ platform, manifest }, key) => {
        const archive = bench.file('skopeo-docker', key)
        const name = `loaded.example/${image}`
        const place = `docker://${bench.from(image).replace(/:[^:/]+$/, '')}@${manifest}`
        const words = ['copy', '-q', '--src-tls-verify=false']
        await bench.skopeo(...words, place, `docker-archive:${archive}:${name}`)
        const loaded = await bench.katman('docker-archive', 'load', '-i', archive)
        expect(loaded.stdout).toContain(`Loaded image: ${name}\n`)
        const { stdout } = await bench.katman('docker-archive', 'inspect', '-f', format, name)
        return { ...inspected(stdout), platform }
      })
      await compareInside(image, 'skopeo copy docker-archive: → katman load', images)
    })
  })

  describePeers('and podman', ['root', 'podman'], () => {
    it.each(travellers)('load %s, and save it', async (image) => {
      const archive = bench.file('podman-in', image)
      await bench.katman('one', 'pull', '-q', bench.from(image))
      await bench.katman('one', 'save', '-o', archive, bench.from(image))
      await bench.podman('load', '-q', '-i', archive)
      const one = ['image', 'inspect', '-f', format, bench.from(image)]
      const there = inspected((await bench.podman(...one)).stdout)
      const [first] = (await bench.sent(image)).images
      if (first === undefined) throw new Error('no image')
      const loaded = [{ ...there, platform: first.platform }]
      await compareInside(image, 'katman save → podman load', loaded, [first])
      for (const kind of ['oci-archive', 'docker-archive']) {
        const back = bench.file('podman-out', kind, image)
        await bench.podman('save', '-q', '--format', kind, '-o', back, bench.from(image))
        await bench.katman(kind, 'load', '-q', '-i', back)
        const { stdout } = await bench.katman(kind, ...one.slice(1))
        const found = [{ ...inspected(stdout), platform: first.platform }]
        await compareInside(image, `podman save (${kind}) → katman load`, found, [first])
      }
    })
  })

  describePeers('and docker', ['root', 'dockerd', 'docker'], () => {
    let engine: DockerdPeer
    beforeAll(async () => {
      engine = await startDockerd()
    })
    afterAll(() => engine[Symbol.asyncDispose]())

    it.each(travellers)('katman save | docker load, of %s', async (image) => {
      const images = await eachPlatform(image, async ({ platform }) => {
        const name = bench.from(image)
        const line = `katman save --platform ${platform} ${name} | docker load`
        const { stdout } = await bench.shell('all', engine.host, line)
        expect(stdout).toContain(`Loaded image: ${name}\n`)
        const shown = await bench.docker(engine.host, 'inspect', '-f', format, name)
        return { ...inspected(shown.stdout), platform }
      })
      await compareInside(image, 'katman save | docker load', images)
    })

    it.each(travellers)('docker save | katman load, of %s', async (image) => {
      const images = await eachPlatform(image, async ({ platform }) => {
        const name = bench.from(image)
        await bench.docker(engine.host, 'pull', '-q', '--platform', platform, name)
        const line = `docker save ${name} | katman load`
        const { stdout } = await bench.shell('docker', engine.host, line)
        expect(stdout).toContain(`Loaded image: ${name}\n`)
        const shown = await bench.katman('docker', 'inspect', '-f', format, name)
        return { ...inspected(shown.stdout), platform }
      })
      await compareInside(image, 'docker save | katman load', images)
      expect((await bench.katman('docker', 'fsck', '--hash')).stdout).toMatch(/clean\n$/)
    })
  })
})

/** One platform after the other; `key` is a name for its files. */
async function eachPlatform(
  image: string,
  go: (one: ImageFacts, key: string) => Promise<ImageFacts>,
): Promise<readonly ImageFacts[]> {
  const found: ImageFacts[] = []
  for (const one of (await bench.sent(image)).images) {
    found.push(await go(one, `${image}-${one.platform}`))
  }
  return found
}

/** `wanted` is what must have arrived; default every platform there is. */
async function compareInside(
  image: string,
  route: string,
  images: readonly ImageFacts[],
  wanted?: readonly ImageFacts[],
): Promise<void> {
  const sent = await bench.sent(image)
  const all: Facts = { ...sent, images: wanted ?? sent.images }
  const platforms = (facts: readonly ImageFacts[]) => facts.map(({ platform }) => platform)
  expect(platforms(images), `platforms of ${image}, ${route}`).toEqual(platforms(all.images))
  // The name an archive has for an image is no digest: what is inside is all there is to compare.
  verdicts.compare(image, route, all, { ...all, images }, inside)
}

function onlyImage({ images: [one, second] }: Facts): ImageFacts {
  if (one === undefined || second !== undefined) throw new Error('not one image')
  return one
}

/** One line of `inspect`: the id and the layers. */
function inspected(line: string): ImageFacts {
  const [id = '', layers = ''] = line.trim().split(' ')
  const config = id.startsWith('sha256:') ? id : `sha256:${id}`
  return { platform: '', manifest: '', config, diffIDs: JSON.parse(layers) as readonly string[] }
}
