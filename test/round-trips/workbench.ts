import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect } from 'vitest'
import { testImages } from '../peers/images.ts'
import { type RegistryPeer, startRegistry } from '../peers/registry.ts'
import { dockerClient, goTool } from '../peers/require-peer.ts'
import { pushRealImages, REAL_IMAGES } from '../peers/skopeo.ts'
import { type CommandResult, runChecked, runCommand } from '../peers/terminal.ts'
import { type Facts, factsOfLayout, factsOfRegistry } from './facts.ts'
import { writeLayeredImage } from './layered-image.ts'

const program = path.resolve(import.meta.dirname, '../../packages/cli/bin/katman.js')

/** The images that go every way: `NAME:TAG`. */
export const travellers = [...REAL_IMAGES, 'layers60:latest'] as const

/** Two registries, the first filled by skopeo, and the programs that move images between them. */
export interface Workbench extends AsyncDisposable {
  readonly folder: string
  readonly source: RegistryPeer
  readonly target: RegistryPeer
  /** `HOST/library/NAME:TAG` of the first registry. */
  from(image: string): string
  /** `HOST/REPOSITORY/NAME:TAG` of the second. */
  to(repository: string, image: string): string
  /** What was put into the first registry. */
  sent(image: string): Promise<Facts>
  /** What the second has. */
  arrived(repository: string, image: string): Promise<Facts>
  /** A path in the private folder, of its own for these words. */
  file(...words: readonly string[]): string
  /** Katman with a store of its own name; must say nothing on standard error. */
  katman(store: string, ...words: readonly string[]): Promise<CommandResult>
  skopeo(...words: readonly string[]): Promise<CommandResult>
  crane(...words: readonly string[]): Promise<CommandResult>
  podman(...words: readonly string[]): Promise<CommandResult>
  docker(host: string, ...words: readonly string[]): Promise<CommandResult>
  /** A shell line in which `katman` and `docker` are the programs under test. */
  shell(store: string, dockerHost: string, line: string): Promise<CommandResult>
}

export async function openWorkbench(): Promise<Workbench> {
  const folder = await mkdtemp(path.join(tmpdir(), 'katman-round-'))
  const file = (...words: readonly string[]): string =>
    path.join(folder, words.join('-').replaceAll(/[:/]/g, '-'))
  const source = await startRegistry()
  const target = await startRegistry()
  await pushRealImages(testImages(), source.host)
  const layered = file('layered')
  await writeLayeredImage(layered, 'latest', 60)
  const skopeo = (...words: readonly string[]): Promise<CommandResult> =>
    runChecked('/usr/bin/skopeo', words, { timeoutMs })
  const from = (image: string): string => `${source.host}/library/${image}`
  const copy = ['copy', '-q', '--dest-tls-verify=false']
  await skopeo(...copy, `oci:${layered}:latest`, `docker://${from('layers60:latest')}`)

  const env = (store: string, dockerHost: string): NodeJS.ProcessEnv => ({
    ...process.env,
    HOME: folder,
    KATMAN_ROOT: file('store', store),
    DOCKER_HOST: dockerHost,
    KATMAN: program,
    DOCKER: dockerClient(),
  })
  const expectQuiet = (result: CommandResult, line: string): CommandResult => {
    expect(result, line).toMatchObject({ exitCode: 0, stderr: '' })
    return result
  }
  return {
    folder,
    source,
    target,
    file,
    from,
    to: (repository, image) => `${target.host}/${repository}/${image}`,
    async sent(image) {
      const [name = '', tag = ''] = image.split(':')
      return image.startsWith('layers60')
        ? factsOfLayout(layered, tag)
        : factsOfLayout(testImages(), `${name}:${tag}`)
    },
    arrived(repository, image) {
      const [name, tag = ''] = image.split(':')
      return factsOfRegistry(target.host, `${repository}/${name}`, tag)
    },
    async katman(store, ...words) {
      const result = await runCommand(program, words, { env: env(store, ''), timeoutMs })
      return expectQuiet(result, words.join(' '))
    },
    skopeo,
    crane: (...words) => runChecked(goTool('crane'), ['--insecure', ...words], { timeoutMs }),
    podman: (...words) => {
      const places = ['--root', file('podman'), '--runroot', file('podman-run')]
      const global = [...places, '--storage-driver=vfs', '--log-level=error']
      return runChecked('/usr/bin/podman', [...global, ...words], { env: env('', ''), timeoutMs })
    },
    docker: (host, ...words) =>
      runChecked(dockerClient() ?? '', words, { env: env('', host), timeoutMs }),
    async shell(store, dockerHost, line) {
      const script = `set -euo pipefail; katman() { "$KATMAN" "$@"; }; docker() { "$DOCKER" "$@"; }; ${line}`
      const options = { env: env(store, dockerHost), timeoutMs }
      return expectQuiet(await runCommand('/bin/bash', ['-c', script], options), line)
    },
    async [Symbol.asyncDispose]() {
      await source[Symbol.asyncDispose]()
      await target[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

const timeoutMs = 120_000
