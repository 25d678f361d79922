import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { testImages } from '../peers/images.ts'
import { type RegistryPeer, startRegistry } from '../peers/registry.ts'
import { describePeers, dockerClient } from '../peers/require-peer.ts'
import { copyToRegistry, pushRealImages } from '../peers/skopeo.ts'
import { runChecked } from '../peers/terminal.ts'

// Lists made by Katman and by docker of the same images are the same bytes in the registry.

const program = path.resolve(import.meta.dirname, '../../packages/cli/bin/katman.js')
let folder: string
let registry: RegistryPeer

describePeers('manifest lists', ['docker-registry', 'docker', 'skopeo', 'images'], () => {
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'katman-lists-'))
    registry = await startRegistry()
    await pushRealImages(testImages(), registry.host)
    for (const name of ['alpine:3.12', 'hello-world:latest']) {
      const flags = ['-q', '-f', 'v2s2', '--src-tls-verify=false', '--dest-tls-verify=false']
      const places = ['library', 'docker'].map((one) => `docker://${registry.host}/${one}/${name}`)
      await runChecked('/usr/bin/skopeo', ['copy', ...flags, ...places])
    }
  })
  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  const run = async (name: string, ...words: readonly string[]): Promise<string> => {
    const env = { ...process.env, DOCKER_CONFIG: path.join(folder, name), HOME: folder }
    return (await runChecked(name === 'katman' ? program : (dockerClient() ?? ''), words, { env }))
      .stdout
  }
  /** `library/alpine:3.20#2`: the third entry of that index, by digest. */
  const sourceOf = async (text: string): Promise<string> => {
    const [name = '', position] = text.split('#')
    if (position === undefined) return `${registry.host}/${name}`
    const { manifests } = JSON.parse(await fetchManifest(name)) as {
      manifests: readonly { digest: string }[]
    }
    return `${registry.host}/${name.split(':')[0]}@${manifests[Number(position)]?.digest}`
  }
  const children = async (name: string): Promise<readonly string[]> => {
    const raw = await fetchManifest(`library/${name}`)
    const { manifests } = JSON.parse(raw) as { manifests: readonly { digest: string }[] }
    const repository = `${registry.host}/library/${name.split(':')[0]}`
    return manifests.slice(0, 3).map(({ digest }) => `${repository}@${digest}`)
  }

  it.each([
    ['one index', ['library/alpine:3.20#0', 'library/alpine:3.20#2'], [['--variant', 'v9', '1']]],
    [
      'several repositories, order of their names',
      ['library/hello-world:latest#3', 'library/alpine:3.12', 'library/busybox:latest#1'],
      [['--os', 'linux', '--arch', 'arm64', '--variant', 'v8', '0']],
    ],
    [
      'Docker manifests',
      ['docker/hello-world:latest', 'docker/alpine:3.12'],
      [
        ['--os', 'windows', '--arch', 'amd64', '--os-version', '10.0.17763.1', '0'],
        ['--os-features', 'win32k,other', '--os-features', 'win32k', '0'],
        ['--arch', 'riscv64', '1'],
      ],
    ],
    ['Docker and OCI', ['docker/alpine:3.12', 'library/alpine:3.20#1'], []],
  ] as const)('of %s: made, annotated, pushed as docker does', async (_, names, changes) => {
    const sources = await Promise.all(names.map(sourceOf))
    const outputs: string[] = []
    for (const name of ['docker', 'katman']) {
      // The same list name: it is in what is printed, and each is pushed over the other.
      const list = `${registry.host}/library/alpine:mine`
      const text = [await run(name, 'manifest', 'create', '--insecure', list, ...sources)]
      for (const words of changes) {
        const source = sources[Number(words.at(-1))] ?? ''
        text.push(await run(name, 'manifest', 'annotate', ...words.slice(0, -1), list, source))
      }
      text.push(
        await run(name, 'manifest', 'inspect', list),
        await run(name, 'manifest', 'push', '--insecure', '--purge', list),
        await fetchManifest('library/alpine:mine'),
        await run(name, 'manifest', 'inspect', '--insecure', list),
        await run(name, 'manifest', 'inspect', '--insecure', '-v', list),
        await run(name, 'manifest', 'inspect', '--insecure', sources[0] ?? ''),
        await run(name, 'manifest', 'inspect', '--insecure', '-v', sources[0] ?? ''),
      )
      outputs.push(text.join('\n'))
    }
    expect(outputs[1]).toBe(outputs[0])
  })

  it('amended and removed are as docker has them', async () => {
    const [one = '', two = '', three = ''] = await children('busybox:latest')
    const list = `${registry.host}/library/busybox:amended`
    const outputs: string[] = []
    for (const name of ['docker', 'katman']) {
      const text = [
        await run(name, 'manifest', 'create', '--insecure', list, two),
        await run(name, 'manifest', 'create', '--insecure', '--amend', list, three, one),
        await run(name, 'manifest', 'push', '--insecure', list),
        await fetchManifest('library/busybox:amended'),
        await run(name, 'manifest', 'rm', list),
      ]
      outputs.push(text.join('\n'))
    }
    expect(outputs[1]).toBe(outputs[0])
  })

  it('take images of another registry, which docker refuses', async () => {
    await using far = await startRegistry()
    await copyToRegistry(testImages(), 'alpine:3.12', `${far.host}/far/alpine:3.12`)
    const [near = ''] = await children('busybox:latest')
    const list = `${registry.host}/library/busybox:far`
    await run('katman', 'manifest', 'create', list, `${far.host}/far/alpine:3.12`, near)
    await run('katman', 'manifest', 'push', list)
    const { manifests } = JSON.parse(await fetchManifest('library/busybox:far')) as {
      manifests: readonly { digest: string }[]
    }
    expect(manifests).toHaveLength(2)
    const places = [`docker://${list}`, `oci:${path.join(folder, 'far')}:1`]
    await runChecked('/usr/bin/skopeo', [
      'copy',
      '-q',
      '--all',
      '--src-tls-verify=false',
      ...places,
    ])
  })

  it('are read by docker while they are local, and the other way round', async () => {
    const sources = await children('busybox:latest')
    const list = `${registry.host}/library/busybox:local`
    await run('katman', 'manifest', 'create', list, ...sources)
    const shown = await run('katman', 'manifest', 'inspect', list)
    const env = { ...process.env, DOCKER_CONFIG: path.join(folder, 'katman'), HOME: folder }
    const byDocker = await runChecked(dockerClient() ?? '', ['manifest', 'inspect', list], { env })
    expect(byDocker.stdout).toBe(shown)
  })

  it('by imagetools join images of two repositories, and append', async () => {
    const [alpine = '', alpineArm = ''] = await children('alpine:3.20')
    const [busybox = ''] = await children('busybox:latest')
    const target = `${registry.host}/joined/app:1`
    await run('katman', 'buildx', 'imagetools', 'create', '-t', target, alpine, alpineArm)
    await run(
      'katman',
      'buildx',
      'imagetools',
      'create',
      '--append',
      '-t',
      target,
      '--annotation',
      'index:by=me',
      busybox,
    )
    const raw = await fetchManifest('joined/app:1')
    const index = JSON.parse(raw) as {
      annotations: unknown
      manifests: readonly { digest: string }[]
    }
    expect(index.annotations).toEqual({ by: 'me' })
    expect(index.manifests.map(({ digest }) => digest)).toEqual(
      [alpine, alpineArm, busybox].map((name) => name.split('@')[1]),
    )
    const copied = await runChecked('/usr/bin/skopeo', [
      'copy',
      '--all',
      '-q',
      '--src-tls-verify=false',
      `docker://${target}`,
      `oci:${path.join(folder, 'joined')}:1`,
    ])
    expect(copied.exitCode).toBe(0)
    const same = await run(
      'katman',
      'buildx',
      'imagetools',
      'create',
      '--dry-run',
      '-t',
      target,
      target,
    )
    expect(same).toBe(`${raw}\n`)
  })
})

async function fetchManifest(name: string): Promise<string> {
  const colon = name.lastIndexOf(':')
  const response = await fetch(
    `${registry.url}/v2/${name.slice(0, colon)}/manifests/${name.slice(colon + 1)}`,
    {
      headers: {
        accept:
          'application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json',
      },
    },
  )
  expect(response.status).toBe(200)
  return response.text()
}
