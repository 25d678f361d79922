import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startDockerd } from '../peers/dockerd.ts'
import { testImages } from '../peers/images.ts'
import { type RegistryPeer, startRegistry } from '../peers/registry.ts'
import { describePeers, dockerClient } from '../peers/require-peer.ts'
import { pushRealImages } from '../peers/skopeo.ts'
import { type CommandResult, runChecked, runCommand } from '../peers/terminal.ts'

// Archives between Katman, docker and skopeo, with real images.

const program = path.resolve(import.meta.dirname, '../../packages/cli/bin/katman.js')
let folder: string
let registry: RegistryPeer

describePeers('archives', ['docker-registry', 'skopeo', 'images'], () => {
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'katman-archive-'))
    registry = await startRegistry()
    await pushRealImages(testImages(), registry.host)
  })
  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  const library = (name: string): string => `${registry.host}/library/${name}`
  const file = (name: string): string => path.join(folder, name)

  it('saved with all platforms load with the same digests', async () => {
    await katman('one', 'pull', '-q', '--platform', 'all', library('alpine:3.20'))
    await katman('one', 'pull', '-q', library('hello-world'))
    const names = [library('alpine:3.20'), library('hello-world')]
    await katman('one', 'save', '-o', file('both.tar'), ...names)
    await katman('one', 'save', '-o', file('again.tar'), ...names)
    expect(await hashOf(file('again.tar'))).toBe(await hashOf(file('both.tar')))
    const loaded = await katman('two', 'load', '-i', file('both.tar'))
    expect(loaded.stdout).toBe(
      `Loaded image: ${library('alpine:3.20')}\nLoaded image: ${library('hello-world:latest')}\n`,
    )
    for (const root of ['one', 'two']) {
      const tree = await katman(root, 'images', '--tree')
      expect(tree.stdout.match(/^[├└]─ linux\/\S+ +[0-9a-f]{12}/gm)).toHaveLength(9)
    }
    const [one, two] = [
      await katman('one', 'images', '--tree'),
      await katman('two', 'images', '--tree'),
    ]
    expect(two.stdout).toBe(one.stdout)
    expect((await katman('two', 'fsck', '--hash')).stdout).toMatch(/clean\n$/)
  })

  it.each([
    ['oci-archive', 'alpine:3.12'],
    ['oci-archive', 'busybox:latest'],
    ['docker-archive', 'alpine:3.12'],
    ['docker-archive', 'busybox:latest'],
  ])('of skopeo, %s of %s, load as the same image', async (kind, name) => {
    const archive = file(`${kind}-${name.replace(':', '-')}.tar`)
    const shown = `skopeo.example/${name}`
    const source = `docker://${library(name)}`
    await runChecked('/usr/bin/skopeo', [
      'copy',
      '-q',
      '--src-tls-verify=false',
      source,
      `${kind}:${archive}:${shown}`,
    ])
    const { stdout } = await katman(kind, 'load', '-i', archive)
    expect(stdout).toBe(`Loaded image: ${shown}\n`)
    await katman(kind, 'pull', '-q', library(name))
    const inspect = (reference: string): Promise<CommandResult> =>
      katman(kind, 'inspect', '-f', '{{.Id}} {{json .RootFS.Layers}} {{.Size}}', reference)
    expect((await inspect(shown)).stdout).toBe((await inspect(library(name))).stdout)
  })

  it('saved are read by skopeo as what was pulled', async () => {
    await katman('three', 'pull', '-q', library('alpine:3.12'))
    await katman('three', 'save', '-o', file('alpine.tar'), library('alpine:3.12'))
    const config = async (place: string): Promise<string> => {
      const words = ['inspect', '--tls-verify=false', '--config', '--raw', place]
      return (await runChecked('/usr/bin/skopeo', words)).stdout
    }
    const pulled = await config(`docker://${library('alpine:3.12')}`)
    expect(await config(`oci-archive:${file('alpine.tar')}:3.12`)).toBe(pulled)
    expect(await config(`docker-archive:${file('alpine.tar')}`)).toBe(pulled)
  })

  describePeers('and docker', ['root', 'dockerd', 'docker'], () => {
    it('load into it and from it', async () => {
      await using engine = await startDockerd()
      const docker = (...words: string[]): Promise<CommandResult> =>
        runChecked(dockerClient() ?? '', words, {
          env: { ...process.env, DOCKER_HOST: engine.host },
        })
      const names = ['alpine:3.12', 'busybox:latest', 'hello-world:latest'].map(library)
      for (const name of names) await katman('four', 'pull', '-q', name)
      await katman('four', 'save', '-o', file('to-docker.tar'), ...names)
      const loaded = await docker('load', '-i', file('to-docker.tar'))
      expect(loaded.stdout).toBe(names.map((name) => `Loaded image: ${name}\n`).join(''))
      const format = '{{.Id}} {{json .RootFS.Layers}} {{.Size}}'
      const expected = await katman('four', 'inspect', '-f', format, ...names)
      expect((await docker('inspect', '-f', format, ...names)).stdout).toBe(expected.stdout)

      await docker('save', '-o', file('from-docker.tar'), ...names)
      const back = await katman('five', 'load', '-i', file('from-docker.tar'))
      expect(back.stdout.split('\n').toSorted()).toEqual(loaded.stdout.split('\n').toSorted())
      const found = await katman('five', 'inspect', '-f', format, ...names)
      expect(found.stdout).toBe(expected.stdout)
      expect((await katman('five', 'fsck', '--hash')).stdout).toMatch(/clean\n$/)
    })
  })
})

async function katman(root: string, ...words: readonly string[]): Promise<CommandResult> {
  const env = { ...process.env, KATMAN_ROOT: path.join(folder, root), HOME: folder }
  const result = await runCommand(program, words, { env })
  expect(result, words.join(' ')).toMatchObject({ exitCode: 0, stderr: '' })
  return result
}

async function hashOf(name: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(name))
    .digest('hex')
}
