import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { tarBytes } from '@katman/layer'
import { type Descriptor, mediaTypes, parseDigest } from '@katman/oci'
import { openOciLayout } from '@katman/transfer'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type DockerdPeer, startDockerd } from '../peers/dockerd.ts'
import { testImages } from '../peers/images.ts'
import { type RegistryPeer, startRegistry } from '../peers/registry.ts'
import { describePeers, dockerClient } from '../peers/require-peer.ts'
import { pushRealImages, REAL_IMAGES } from '../peers/skopeo.ts'
import { type CommandResult, runChecked, runCommand } from '../peers/terminal.ts'

// Every real image with all its platforms, and one of 60 layers, through archives and back, skopeo and docker as witnesses.

const program = path.resolve(import.meta.dirname, '../../packages/cli/bin/katman.js')
const images = [...REAL_IMAGES, 'sixty:layers']
let folder: string
let registry: RegistryPeer

describePeers('archives there and back', ['docker-registry', 'skopeo', 'images'], () => {
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'katman-round-trip-'))
    registry = await startRegistry()
    await pushRealImages(testImages(), registry.host)
    await writeSixtyLayers(file('sixty'))
    await katman('first', 'cp', '-q', `oci:${file('sixty')}:layers`, library('sixty:layers'))
  })
  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  it.each(images)(
    '%s: saved, its digest stays when skopeo takes it to a registry',
    async (image) => {
      await katman('first', 'pull', '-q', '--platform', 'all', library(image))
      await katman('first', 'save', '-o', file('saved.tar'), library(image))
      const copied = `${registry.host}/copied/${image}`
      const archive = `oci-archive:${file('saved.tar')}:${image.split(':')[1] ?? ''}`
      const flags = ['-q', '--all', '--preserve-digests', '--dest-tls-verify=false']
      await skopeo('copy', ...flags, archive, `docker://${copied}`)
      expect(await digestOf(copied)).toBe(await digestOf(library(image)))
    },
  )

  it.each(images)('%s: an archive of skopeo loads, saves and is as before', async (image) => {
    for (const kind of ['oci-archive', 'docker-archive']) {
      const [given, back] = [file(`${kind}.tar`), file(`${kind}-back.tar`)]
      const name = `there.example/${kind}/${image}`
      const source = `docker://${library(image)}`
      await rm(given, { force: true })
      await skopeo('copy', '-q', '--src-tls-verify=false', source, `${kind}:${given}:${name}`)
      const { stdout } = await katman('second', 'load', '-i', given)
      expect(stdout).toContain(`Loaded image: ${name}\n`)
      await katman('second', 'save', '-o', back, name)
      const tag = image.split(':')[1] ?? ''
      expect(await configOf(`oci-archive:${back}:${tag}`)).toBe(await configOf(source))
      expect(await configOf(`docker-archive:${back}`)).toBe(await configOf(source))
    }
    expect((await katman('second', 'fsck', '--hash')).stdout).toMatch(/clean\n$/)
  })

  describePeers('and docker', ['root', 'dockerd', 'docker'], () => {
    let engine: DockerdPeer
    beforeAll(async () => {
      engine = await startDockerd()
    })
    afterAll(() => engine[Symbol.asyncDispose]())

    it.each(images)('%s: save | docker load, docker save | load', async (image) => {
      const env = { ...process.env, DOCKER_HOST: engine.host }
      const docker = dockerClient() ?? ''
      const name = library(image)
      await katman('third', 'pull', '-q', name)
      const own = { KATMAN_ROOT: file('third'), HOME: folder }
      const there = await pipe([program, 'save', name], [docker, 'load'], { ...env, ...own })
      expect(there).toBe(`Loaded image: ${name}\n`)
      const other = { KATMAN_ROOT: file('fourth'), HOME: folder }
      const back = await pipe([docker, 'save', name], [program, 'load'], { ...env, ...other })
      expect(back).toBe(`Loaded image: ${name}\n`)
      const words = ['inspect', '-f', '{{.Id}} {{json .RootFS.Layers}} {{.Size}}', name]
      const theirs = await runChecked(docker, words, { env })
      expect((await katman('third', ...words)).stdout).toBe(theirs.stdout)
      expect((await katman('fourth', ...words)).stdout).toBe(theirs.stdout)
    })
  })
})

const file = (name: string): string => path.join(folder, name)
const library = (name: string): string => `${registry.host}/library/${name}`

/** An image of 60 small layers, as an OCI layout. */
async function writeSixtyLayers(where: string): Promise<void> {
  const layout = await openOciLayout(where, { create: true })
  const add = async (mediaType: string, bytes: Uint8Array): Promise<Descriptor> => {
    const hex = createHash('sha256').update(bytes).digest('hex')
    const descriptor = { mediaType, digest: parseDigest(`sha256:${hex}`), size: bytes.byteLength }
    await layout.write(descriptor, async () =>
      (async function* () {
        yield bytes
      })(),
    )
    return descriptor
  }
  const layers: Descriptor[] = []
  for (let number = 0; number < 60; number += 1) {
    const bytes = tarBytes([{ name: `layer/${number}`, content: `this is layer ${number}\n` }])
    layers.push(await add(mediaTypes.ociLayer, bytes))
  }
  const platform = { os: 'linux', architecture: 'amd64' }
  const rootfs = { type: 'layers', diff_ids: layers.map(({ digest }) => digest) }
  const encode = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
  const config = await add(mediaTypes.ociConfig, encode({ ...platform, config: {}, rootfs }))
  const mediaType = mediaTypes.ociManifest
  const manifest = encode({ schemaVersion: 2, mediaType, config, layers })
  await layout.tag('layers', await add(mediaType, manifest))
}

async function digestOf(name: string): Promise<string> {
  const { stdout } = await skopeo('inspect', '--raw', '--tls-verify=false', `docker://${name}`)
  return createHash('sha256').update(stdout).digest('hex')
}

async function configOf(place: string): Promise<string> {
  return (await skopeo('inspect', '--tls-verify=false', '--config', '--raw', place)).stdout
}

function skopeo(...words: readonly string[]): Promise<CommandResult> {
  return runChecked('/usr/bin/skopeo', words)
}

async function katman(root: string, ...words: readonly string[]): Promise<CommandResult> {
  const env = { ...process.env, KATMAN_ROOT: file(root), HOME: folder }
  const result = await runCommand(program, words, { env })
  expect(result, words.join(' ')).toMatchObject({ exitCode: 0, stderr: '' })
  return result
}

/** Runs one program into another, and gives what the second says. */
async function pipe(
  [from = '', ...fromWords]: readonly string[],
  [to = '', ...toWords]: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<string> {
  const source = spawn(from, fromWords, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const target = spawn(to, toWords, { env, stdio: ['pipe', 'pipe', 'inherit'] })
  source.stdout.pipe(target.stdin)
  const [stdout] = await Promise.all([
    text(target.stdout),
    once(source, 'close'),
    once(target, 'close'),
  ])
  expect([source.exitCode, target.exitCode]).toEqual([0, 0])
  return stdout
}
