import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { testImages } from '../peers/images.ts'
import { type RegistryPeer, startRegistry } from '../peers/registry.ts'
import { describePeers, goTool } from '../peers/require-peer.ts'
import { runChecked } from '../peers/terminal.ts'

// What Katman copies is what skopeo, crane, regctl and oras find, and the other way round.

const program = path.resolve(import.meta.dirname, '../../packages/cli/bin/katman.js')
const names = ['alpine:3.20', 'alpine:3.12', 'busybox:latest', 'hello-world:latest']
let folder: string
let registry: RegistryPeer
let host: string

const env = (): NodeJS.ProcessEnv => ({
  ...process.env,
  HOME: folder,
  DOCKER_CONFIG: path.join(folder, 'docker'),
  KATMAN_ROOT: path.join(folder, 'store'),
})
const run = async (command: string, ...words: readonly string[]): Promise<string> =>
  (await runChecked(command, words, { env: env(), cwd: folder })).stdout
const katman = (...words: readonly string[]): Promise<string> => run(program, ...words)
const skopeo = (...words: readonly string[]): Promise<string> => run('/usr/bin/skopeo', ...words)
const digestOf = (raw: string): string => `sha256:${createHash('sha256').update(raw).digest('hex')}`

async function open(): Promise<void> {
  folder = await mkdtemp(path.join(tmpdir(), 'katman-cp-'))
  registry = await startRegistry()
  // The Go tools speak plain http to this name unasked.
  host = registry.host.replace('127.0.0.1', 'localhost')
}
async function close(): Promise<void> {
  await registry[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
}

describePeers('cp beside skopeo', ['docker-registry', 'skopeo', 'images'], () => {
  beforeAll(open)
  afterAll(close)

  it.each(names)('%s keeps its digest on every way', async (name) => {
    const source = `oci:${testImages()}:${name}`
    const [bare = ''] = name.split(':')
    const expected = digestOf(await skopeo('inspect', '--raw', source))
    const target = `${host}/by-katman/${name}`
    expect((await katman('cp', source, target)).trim()).toBe(expected)
    const raw = await skopeo('inspect', '--raw', '--tls-verify=false', `docker://${target}`)
    expect(digestOf(raw)).toBe(expected)
    // Through a layout, read by skopeo with all its platforms, and back.
    const layout = `oci:${path.join(folder, bare)}:x`
    expect((await katman('cp', target, layout)).trim()).toBe(expected)
    const again = `docker://${host}/by-skopeo/${name}`
    await skopeo(
      'copy',
      '-q',
      '--all',
      '--preserve-digests',
      '--dest-tls-verify=false',
      layout,
      again,
    )
    expect((await katman('cp', again, 'store:back:1')).trim()).toBe(expected)
    expect((await katman('cp', again, `oci-archive:${path.join(folder, bare)}.tar`)).trim()).toBe(
      expected,
    )
    const archived = await skopeo('inspect', '--raw', `oci-archive:${path.join(folder, bare)}.tar`)
    expect(digestOf(archived)).toBe(expected)
  })

  it('sync brings the same tags and digests as skopeo does, from the same file', async () => {
    for (const name of names)
      await katman('cp', '-q', `oci:${testImages()}:${name}`, `${host}/src/${name}`)
    const file = path.join(folder, 'sync.yaml')
    await writeFile(
      file,
      `${host}:
  tls-verify: false
  images:
    src/busybox: []
  images-by-tag-regex:
    src/hello-world: ^lat.*$
    src/alpine: ^3\\.[2-9]\\d$
`,
    )
    const flags = ['sync', '--all', '--src', 'yaml', '--dest', 'docker', '--dest-tls-verify=false']
    await skopeo(...flags, file, `${host}/skopeo`)
    await katman('sync', file, `${host}/katman`)
    for (const name of ['busybox', 'hello-world', 'alpine']) {
      const [theirs, ours] = await Promise.all(
        ['skopeo', 'katman'].map((one) => katman('tags', `${host}/${one}/${name}`)),
      )
      expect(ours, name).toBe(theirs)
    }
    expect(await katman('sync', file, `${host}/katman`)).toMatch(
      /3 images: 0 copied \(0B\), 3 up to date\n$/,
    )
  })
})

describePeers(
  'cp beside the Go tools',
  ['docker-registry', 'crane', 'regctl', 'oras', 'images'],
  () => {
    beforeAll(open)
    afterAll(close)

    it('all see one digest in a registry and in a layout, and what refers to it', async () => {
      const target = `${host}/go/alpine:3.20`
      const digest = (await katman('cp', `oci:${testImages()}:alpine:3.20`, target)).trim()
      expect((await run(goTool('crane'), 'digest', target)).trim()).toBe(digest)
      await writeFile(path.join(folder, 'sbom.json'), '{}')
      await katman(
        'artifact',
        'attach',
        '--artifact-type',
        'application/by-katman',
        target,
        'sbom.json',
      )
      const config = ['registry', 'set', '--tls', 'disabled', host]
      await run(goTool('regctl'), ...config)
      await run(
        goTool('regctl'),
        'artifact',
        'put',
        '--artifact-type',
        'application/by-regctl',
        '--subject',
        target,
        '--file',
        path.join(folder, 'sbom.json'),
      )
      await katman('cp', '--referrers', target, `oci:${path.join(folder, 'layout')}:x`)
      const theirs = path.join(folder, 'regctl-layout')
      await run(goTool('regctl'), 'image', 'copy', '--referrers', target, `ocidir://${theirs}:x`)
      for (const layout of [path.join(folder, 'layout'), theirs]) {
        const seen = [
          await run(goTool('regctl'), 'artifact', 'tree', `ocidir://${layout}:x`),
          await run(goTool('oras'), 'discover', '--oci-layout', `${layout}:x`),
          await katman('referrers', `oci:${layout}:x`),
        ]
        for (const text of seen) {
          expect(text, layout).toContain('application/by-katman')
          expect(text, layout).toContain('application/by-regctl')
        }
        expect(
          (await run(goTool('regctl'), 'image', 'digest', `ocidir://${layout}:x`)).trim(),
        ).toBe(digest)
      }
      // And from their layout to a registry again.
      await katman('cp', '--referrers', `oci:${theirs}:x`, `${host}/back/alpine:1`)
      expect(await run(goTool('oras'), 'discover', `${host}/back/alpine:1`)).toContain('by-regctl')
    })
  },
)
