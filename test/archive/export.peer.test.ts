import { createReadStream } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { indexLayer, type LayerEntry } from '@katman/layer'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type DockerdPeer, startDockerd } from '../peers/dockerd.ts'
import { testImages } from '../peers/images.ts'
import { type RegistryPeer, startRegistry } from '../peers/registry.ts'
import { describePeers, dockerClient } from '../peers/require-peer.ts'
import { pushRealImages, REAL_IMAGES } from '../peers/skopeo.ts'
import { type CommandResult, runCommand } from '../peers/terminal.ts'

// export beside docker export of a container of the same image, import beside docker import of the same files.

const program = path.resolve(import.meta.dirname, '../../packages/cli/bin/katman.js')
let folder: string
let registry: RegistryPeer
let engine: DockerdPeer

/** What docker puts into every container; the times of the folders around change with it. */
const injected: ReadonlySet<string> = new Set([
  '.dockerenv',
  'dev/console',
  'dev/pts',
  'dev/shm',
  'etc/hostname',
  'etc/hosts',
  'etc/mtab',
  'etc/resolv.conf',
])
const injectedFolders: ReadonlySet<string> = new Set(['dev', 'etc', 'proc', 'sys'])

describePeers(
  'export and import',
  ['docker-registry', 'skopeo', 'images', 'root', 'dockerd', 'docker'],
  () => {
    beforeAll(async () => {
      folder = await mkdtemp(path.join(tmpdir(), 'katman-export-'))
      registry = await startRegistry()
      await pushRealImages(testImages(), registry.host)
      engine = await startDockerd()
    })
    afterAll(async () => {
      await engine[Symbol.asyncDispose]()
      await registry[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    })

    it.each([...REAL_IMAGES])('%s has the same files', async (image) => {
      const name = `${registry.host}/library/${image}`
      await docker('pull', '-q', name)
      const { stdout: container } = await docker('create', name, '/none')
      await docker('export', '-o', file('docker.tar'), container.trim())
      await katman('pull', '-q', name)
      await katman('export', '-o', file('katman.tar'), name)
      const ours = await listedFiles(file('katman.tar'))
      const theirs = await listedFiles(file('docker.tar'))
      expect(ours).toEqual(theirs)
      expect(ours.length).toBeGreaterThan(0)
    })

    it('imports into docker what it exports, and the other way', async () => {
      const name = `${registry.host}/library/alpine:3.12`
      await katman('pull', '-q', name)
      await katman('export', '-o', file('alpine.tar'), name)
      await docker('import', file('alpine.tar'), 'back:1')
      await katman('import', file('alpine.tar'), 'back:1')
      const format = '{{json .RootFS.Layers}} {{.Size}} {{.Comment}}'
      const ours = await katman('inspect', '-f', format, 'back:1')
      expect((await docker('inspect', '-f', format, 'back:1')).stdout).toBe(ours.stdout)

      const { stdout: container } = await docker('create', 'back:1', '/none')
      await docker('export', '-o', file('docker.tar'), container.trim())
      await katman('import', file('docker.tar'), 'from-docker:1')
      await katman('export', '-o', file('again.tar'), 'from-docker:1')
      expect(await listedFiles(file('again.tar'))).toEqual(await listedFiles(file('alpine.tar')))
    })

    it('gives an import the config that docker gives it', async () => {
      await writeFile(file('empty.tar'), Buffer.alloc(1024))
      const changes = [
        'CMD echo hi $HOME',
        'ENV A=1 B="two words" C=$A',
        'ENV PATH /bin:$PATH',
        'EXPOSE 80 90-92/udp',
        'HEALTHCHECK --interval=5s --retries=2 CMD curl x',
        'LABEL a=b "c d"="e f"',
        'ONBUILD RUN make',
        'USER bob:$A',
        'VOLUME /data /x',
        'VOLUME ["/y z"]',
        'WORKDIR /a',
        'WORKDIR b',
        'ENTRYPOINT ["/bin/x","y"]',
      ]
      const flags = changes.flatMap((change) => ['-c', change])
      const words = ['import', ...flags, '-m', 'made', file('empty.tar'), 'config:1']
      await docker(...words)
      await katman(...words)
      const format = '{{json .Config}} {{.Comment}} {{.Os}} {{.Architecture}} {{json .RootFS}}'
      const theirs = await docker('inspect', '-f', format, 'config:1')
      expect((await katman('inspect', '-f', format, 'config:1')).stdout).toBe(theirs.stdout)
      const history = ['history', '--format', '{{.CreatedBy}}|{{.Size}}|{{.Comment}}', 'config:1']
      expect((await katman(...history)).stdout).toBe((await docker(...history)).stdout)
    })

    it.each([
      'RUN x',
      'STOPSIGNAL SIGKILL',
      '',
      '# x',
      'ENV',
      'ENV A',
      'LABEL a',
      'ENV A="b',
      'EXPOSE x',
      'EXPOSE 70000',
      'EXPOSE 80/foo',
      'ONBUILD ONBUILD RUN x',
      'ONBUILD FROM x',
      'WORKDIR',
      'USER',
      'VOLUME []',
      'HEALTHCHECK',
      'HEALTHCHECK FOO x',
      'HEALTHCHECK NONE x',
      'HEALTHCHECK CMD',
      'HEALTHCHECK --interval=1us CMD x',
      'HEALTHCHECK --foo=1 CMD x',
    ])("refuses --change %j in docker's words", async (change) => {
      await writeFile(file('empty.tar'), Buffer.alloc(1024))
      const words = ['import', '-c', change, file('empty.tar')]
      const theirs = await runDocker(...words)
      const ours = await runKatman(...words)
      expect(theirs.exitCode).toBe(1)
      expect({ ...ours, stderr: ours.stderr.trim() }).toEqual({
        ...theirs,
        stderr: theirs.stderr.trim(),
      })
    })
  },
)

const file = (name: string): string => path.join(folder, name)

async function listedFiles(archive: string): Promise<readonly unknown[]> {
  const bytes = createReadStream(archive)
  const { entries } = await indexLayer(bytes, 'none', { hashFiles: true })
  return entries
    .filter((entry) => !injected.has(entry.path) && entry.path !== '.')
    .filter((entry) => !(entry.type === 'directory' && injectedFolders.has(entry.path)))
    .map(comparable)
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

/** Docker writes whole seconds, and folders that it changed have its own time. */
function comparable(entry: LayerEntry) {
  const { path: where, type, mode, uid, gid, size, linkname, sha256, mtime } = entry
  const isTimed = type !== 'directory'
  return { path: where, type, mode, uid, gid, size, linkname, sha256, mtime: isTimed && mtime }
}

async function docker(...words: readonly string[]): Promise<CommandResult> {
  const result = await runDocker(...words)
  expect(result, words.join(' ')).toMatchObject({ exitCode: 0 })
  return result
}

function runDocker(...words: readonly string[]): Promise<CommandResult> {
  const env = { ...process.env, DOCKER_HOST: engine.host }
  return runCommand(dockerClient() ?? '', words, { env })
}

async function katman(...words: readonly string[]): Promise<CommandResult> {
  const result = await runKatman(...words)
  expect(result, words.join(' ')).toMatchObject({ exitCode: 0, stderr: '' })
  return result
}

function runKatman(...words: readonly string[]): Promise<CommandResult> {
  const env = { ...process.env, KATMAN_ROOT: path.join(folder, 'store'), HOME: folder }
  return runCommand(program, words, { env })
}
