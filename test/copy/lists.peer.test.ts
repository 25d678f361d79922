import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { testImages } from '../peers/images.ts'
import { type RegistryPeer, startRegistry } from '../peers/registry.ts'
import { describePeers, dockerClient } from '../peers/require-peer.ts'
import { pushRealImages } from '../peers/skopeo.ts'
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
  const children = async (name: string): Promise<readonly string[]> => {
    const raw = await fetchManifest(`library/${name}`)
    const { manifests } = JSON.parse(raw) as { manifests: readonly { digest: string }[] }
    const repository = `${registry.host}/library/${name.split(':')[0]}`
    return manifests.slice(0, 3).map(({ digest }) => `${repository}@${digest}`)
  }

  it('made, annotated and pushed are as docker makes them', async () => {
    const sources = await children('alpine:3.20')
    const outputs: string[] = []
    for (const name of ['docker', 'katman']) {
      // The same list name: it is in what is printed, and each is pushed over the other.
      const list = `${registry.host}/library/alpine:mine`
      const text = [
        await run(name, 'manifest', 'create', '--insecure', list, ...sources),
        await run(name, 'manifest', 'annotate', '--variant', 'v9', list, sources[1] ?? ''),
        await run(name, 'manifest', 'push', '--insecure', '--purge', list),
      ]
      outputs.push([...text, await fetchManifest('library/alpine:mine')].join('\n'))
    }
    expect(outputs[1]).toBe(outputs[0])
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
    expect(digestOf(same)).toBe(digestOf(raw))
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

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
