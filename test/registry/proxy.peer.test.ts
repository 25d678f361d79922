import { mkdir, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, it } from 'vitest'
import { startSwitch } from '../../packages/registry/test/proxy/upstream.ts'
import { startDockerd } from '../peers/dockerd.ts'
import { testImages } from '../peers/images.ts'
import { startRegistry } from '../peers/registry.ts'
import { describePeers, dockerClient, goTool } from '../peers/require-peer.ts'
import { copyFromRegistry, copyToRegistry } from '../peers/skopeo.ts'
import { runChecked, runCommand } from '../peers/terminal.ts'
import { serve, withFolder } from './serve-program.ts'

const image = 'alpine:3.20'

/** Debian's docker-registry with an image, the switch before it, and `katman registry serve` that caches it. */
async function openChain(folder: string, section: (url: string) => string) {
  const origin = await startRegistry()
  await copyToRegistry(testImages(), image, `${origin.host}/library/${image}`)
  const upstream = await startSwitch(origin.url)
  const config = path.join(folder, 'registry.yml')
  await writeFile(config, `upstreams:\n${section(`http://${upstream.host}`)}`)
  const server = await serve(['--config', config, '--data', path.join(folder, 'data')])
  return {
    origin,
    upstream,
    server,
    host: new URL(server.url).host,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await upstream[Symbol.asyncDispose]()
      await origin[Symbol.asyncDispose]()
    },
  }
}

const hub = (prefix: string) => (url: string) =>
  `  - registry: docker.io\n    prefix: "${prefix}"\n    url: ${url}\n    private: true\n    tag-ttl: 1s\n`
// The setting takes no empty text.
const everything = (url: string) =>
  `  - registry: docker.io\n    url: ${url}\n    private: true\n    tag-ttl: 1s\n`

/** What was asked of the upstream more than once, pings aside. */
function repeated(asked: readonly string[]): readonly string[] {
  const content = asked.filter((line) => /^GET .*@?sha256:/.test(line))
  return content.filter((line, position) => content.indexOf(line) !== position)
}

describePeers('a cache of docker-registry', ['docker-registry', 'skopeo', 'images'], () => {
  it('fetches each content once for five skopeo at the same time, and serves it when that registry is gone', async () => {
    await withFolder(async (folder) => {
      await using chain = await openChain(folder, hub('hub'))
      const pull = (name: string) =>
        copyFromRegistry(`${chain.host}/hub/library/${image}`, path.join(folder, name), image)
      await Promise.all(['a', 'b', 'c', 'd', 'e'].map(pull))
      expect(chain.upstream.asked.length).toBeGreaterThan(10)
      expect(repeated(chain.upstream.asked)).toEqual([])
      await copyFromRegistry(`${chain.origin.host}/library/${image}`, path.join(folder, 'o'), image)
      const blobs = (name: string) => readdir(path.join(folder, name, 'blobs', 'sha256'))
      const expected = (await blobs('o')).toSorted()
      for (const name of ['a', 'e']) expect((await blobs(name)).toSorted()).toEqual(expected)
      await chain.upstream.die()
      await pull('offline')
      expect((await blobs('offline')).toSorted()).toEqual(expected)
    })
  })

  it('goes on after it was killed in the middle of a pull', async () => {
    await withFolder(async (folder) => {
      await using chain = await openChain(folder, hub('hub'))
      const killed = new Promise<void>((resolve) => {
        chain.upstream.behave = (incoming) => {
          if (incoming.url?.includes('/blobs/') !== true) return false
          chain.server.child.kill('SIGKILL')
          resolve()
          return true
        }
      })
      const name = `${chain.host}/hub/library/${image}`
      await expect(copyFromRegistry(name, path.join(folder, 'a'), image)).rejects.toThrow()
      await killed
      await chain.server.ended
      chain.upstream.behave = () => false
      const config = path.join(folder, 'registry.yml')
      const data = ['--config', config, '--data', path.join(folder, 'data')]
      await using again = await serve(data)
      await copyFromRegistry(
        `${new URL(again.url).host}/hub/library/${image}`,
        path.join(folder, 'b'),
        image,
      )
    })
  })
})

describePeers('crane', ['docker-registry', 'skopeo', 'images', 'crane'], () => {
  it('pulls, lists tags and asks for digests through a cache', async () => {
    await withFolder(async (folder) => {
      await using chain = await openChain(folder, hub('hub'))
      const crane = async (...words: readonly string[]) =>
        (await runChecked(goTool('crane'), [...words, '--insecure'])).stdout.trim()
      const here = `${chain.host}/hub/library/alpine`
      const there = `${chain.origin.host}/library/alpine`
      expect(await crane('digest', `${here}:3.20`)).toBe(await crane('digest', `${there}:3.20`))
      expect(await crane('ls', here)).toBe('3.20')
      await crane('pull', `${here}:3.20`, path.join(folder, 'alpine.tar'))
      expect(await crane('manifest', `${here}:3.20`)).toBe(await crane('manifest', `${there}:3.20`))
      await expect(crane('copy', `${here}:3.20`, `${here}:other`)).rejects.toThrow('cache')
    })
  })
})

describePeers(
  'docker with a mirror',
  ['root', 'docker', 'dockerd', 'docker-registry', 'skopeo', 'images'],
  () => {
    it('pulls an official image by its short name from the cache', async () => {
      await withFolder(async (folder) => {
        await using chain = await openChain(folder, everything)
        await using engine = await startDockerd(['--registry-mirror', chain.server.url])
        const env = { DOCKER_HOST: engine.host, PATH: '/usr/bin', HOME: folder }
        const docker = dockerClient() ?? ''
        const pulled = await runCommand(docker, ['pull', image], { env })
        expect(pulled.exitCode, pulled.stderr).toBe(0)
        expect(pulled.stdout).toContain('Downloaded newer image for alpine:3.20')
        expect(chain.upstream.asked.some((line) => line.startsWith('GET library/alpine/'))).toBe(
          true,
        )
      })
    })

    it('is served as containerd asks it, with ns=', async () => {
      await withFolder(async (folder) => {
        await using chain = await openChain(folder, hub('hub'))
        await using engine = await startDockerd()
        const hosts = path.join(folder, 'hosts', 'docker.io')
        await mkdir(hosts, { recursive: true })
        await writeFile(
          path.join(hosts, 'hosts.toml'),
          `server = "${chain.server.url}"\n[host."${chain.server.url}"]\n  capabilities = ["pull", "resolve"]\n`,
        )
        const socket = path.join(engine.directory, 'exec/containerd/containerd.sock')
        const words = ['--address', socket, 'images', 'pull', '--hosts-dir', path.dirname(hosts)]
        await runChecked('/usr/bin/ctr', [...words, `docker.io/library/${image}`], {
          env: { PATH: '/usr/bin', HOME: folder },
        })
        const lines = chain.server.lines().map(({ repository }) => repository)
        expect(lines).toContain('library/alpine')
        expect(chain.upstream.asked.some((line) => line.startsWith('GET library/alpine/'))).toBe(
          true,
        )
      })
    })
  },
)
