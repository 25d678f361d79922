import { formatPlatform } from '@katman/oci'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startDockerd } from '../peers/dockerd.ts'
import { testImages } from '../peers/images.ts'
import { type RegistryPeer, startRegistry } from '../peers/registry.ts'
import { describePeers, dockerClient } from '../peers/require-peer.ts'
import { copyToRegistry, REAL_IMAGES } from '../peers/skopeo.ts'
import { type CommandResult, runChecked, runCommand } from '../peers/terminal.ts'
import { asGnuTar, listByGnuTar, type ListedEntry } from './gnu-tar-list.ts'
import { inspectBySkopeo, type PeerImage, type PeerTag } from './said-by-skopeo.ts'

// Every real image, for every platform it has, put by skopeo into a real registry, is pulled by tag and by
// digest, and compared with what skopeo, docker and GNU tar say of it.

const program = path.resolve(import.meta.dirname, '../../packages/cli/bin/katman.js')
let folder: string
let registry: RegistryPeer
let tags: PeerTag[]

describePeers('real images', ['docker-registry', 'skopeo', 'images'], () => {
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'katman-real-'))
    registry = await startRegistry()
    tags = []
    for (const name of REAL_IMAGES) {
      const reference = `${registry.host}/library/${name}`
      await copyToRegistry(testImages(), name, reference)
      tags.push(await inspectBySkopeo(reference))
    }
  })
  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  describe.each([...REAL_IMAGES])('%s', (name) => {
    const tag = (): PeerTag => {
      const found = tags.find(({ reference }) => reference.endsWith(`/${name}`))
      if (found === undefined) throw new Error(`skopeo read no ${name}`)
      return found
    }

    it('is pulled by its tag for each platform', async () => {
      const { reference, digest, images } = tag()
      expect(images.length).toBeGreaterThan(0)
      for (const image of images) {
        const platform = formatPlatform(image.platform)
        const pulled = await katman('pull', '--platform', platform, reference)
        expect(pulled.stdout, platform).toContain(`Digest: ${digest}\n`)
        await expectSame(reference, image)
      }
    })

    it('is pulled by the digest of each platform', async () => {
      for (const image of tag().images) {
        const pulled = await katman('pull', image.byDigest)
        expect(pulled.stdout).toContain(`Digest: ${image.byDigest.split('@')[1]}\n`)
        await expectSame(image.byDigest, image)
      }
    })

    it('is pulled by the digest of its index with all platforms, and nothing moves again', async () => {
      const { reference, digest, images } = tag()
      const byDigest = `${reference.slice(0, reference.lastIndexOf(':'))}@${digest}`
      const root = path.join(folder, `all-${name.replace(':', '-')}`)
      const first = await katman('--root', root, 'pull', '--platform', 'all', byDigest)
      const layers = new Set(images.flatMap((image) => image.layers))
      expect(first.stdout.match(/: Pull complete/g)).toHaveLength(layers.size)
      const again = await katman('--root', root, 'pull', '--platform', 'all', byDigest)
      expect(again.stdout).not.toContain('Pull complete')
      expect(again.stdout).toContain('Status: Image is up to date')
      for (const image of images) {
        const { stdout } = await katman('--root', root, 'inspect', '--format', '{{.Id}}', image.id)
        expect(stdout.trim()).toBe(image.id)
      }
      expect((await katman('--root', root, 'fsck', '--hash')).stdout).toMatch(/clean\n$/)
    })

    it('has in each layer what GNU tar lists', async () => {
      for (const image of tag().images) {
        const { stdout } = await katman('layers', '--format', 'json', image.byDigest)
        const report = parseReport(stdout)
        expect(report.layers.map((layer) => layer.diffID)).toEqual(image.diffIDs)
        for (const [position, { entries }] of report.layers.entries()) {
          const listed = await listByGnuTar(await fetchLayer(image, position))
          expect(listed.length).toBeGreaterThan(0)
          expect(entries.map(asGnuTar), image.byDigest).toEqual(listed)
        }
      }
    })
  })

  describePeers('beside docker', ['root', 'dockerd', 'docker'], () => {
    it('shows every image as docker does', async () => {
      await using engine = await startDockerd()
      const docker = async (...words: string[]): Promise<string> => {
        const env = { ...process.env, DOCKER_HOST: engine.host }
        return (await runChecked(dockerClient() ?? '', words, { env })).stdout
      }
      for (const image of tags.flatMap(({ images }) => images)) {
        const { byDigest } = image
        await docker('pull', '--quiet', byDigest)
        await katman('pull', '--quiet', byDigest)
        const facts =
          '{{.Id}} {{.Size}} {{.Architecture}} {{.Created}} {{json .RootFS}} {{json .Config}}'
        for (const words of [
          ['inspect', '--format', facts, byDigest],
          [
            'history',
            '--no-trunc',
            '--format',
            '{{.CreatedBy}}|{{.CreatedAt}}|{{.Size}}',
            byDigest,
          ],
        ]) {
          expect((await katman(...words)).stdout, words.join(' ')).toBe(await docker(...words))
        }
      }
    })
  })
})

async function expectSame(reference: string, image: PeerImage): Promise<void> {
  const format = '{{.Id}} {{json .RootFS.Layers}}'
  const { stdout } = await katman('inspect', '--format', format, reference)
  expect(stdout).toBe(`${image.id} ${JSON.stringify(image.diffIDs)}\n`)
  const history = await katman('history', '--no-trunc', '--format', '{{.CreatedBy}}', reference)
  expect(history.stdout).toBe(image.createdBy.map((line) => `${line}\n`).join(''))
}

async function katman(...words: readonly string[]): Promise<CommandResult> {
  const env = { ...process.env, KATMAN_ROOT: path.join(folder, 'store'), HOME: folder }
  const result = await runCommand(program, words, { env })
  expect(result, words.join(' ')).toMatchObject({ exitCode: 0, stderr: '' })
  return result
}

/** The layer as it is distributed, in a file. */
async function fetchLayer(image: PeerImage, position: number): Promise<string> {
  const digest = image.layers[position] ?? ''
  const repository = image.byDigest.slice(registry.host.length + 1, image.byDigest.indexOf('@'))
  const response = await fetch(`${registry.url}/v2/${repository}/blobs/${digest}`)
  const file = path.join(folder, 'layer.tar.gz')
  await writeFile(file, new Uint8Array(await response.arrayBuffer()))
  return file
}

interface Report {
  readonly layers: readonly {
    readonly diffID: string
    readonly entries: readonly ListedEntry[]
  }[]
}

function parseReport(text: string): Report {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- every field of it is compared below
  return JSON.parse(text) as Report
}
