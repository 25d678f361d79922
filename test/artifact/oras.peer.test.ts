import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type RegistryPeer, startRegistry } from '../peers/registry.ts'
import { describePeers, goTool } from '../peers/require-peer.ts'
import { runChecked } from '../peers/terminal.ts'

// Artifacts of Katman and of oras are the same bytes, and each reads what the other made.

const program = path.resolve(import.meta.dirname, '../../packages/cli/bin/katman.js')
let folder: string
let registry: RegistryPeer

describePeers('artifacts beside oras', ['docker-registry', 'oras'], () => {
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'katman-oras-'))
    registry = await startRegistry()
    await mkdir(path.join(folder, 'tree/bin'), { recursive: true })
    await writeFile(path.join(folder, 'a.txt'), 'hello <&>')
    await writeFile(path.join(folder, 'b.json'), '{}')
    await writeFile(path.join(folder, 'tree/bin/run'), '#!/bin/sh\n', { mode: 0o755 })
    await symlink('bin/run', path.join(folder, 'tree/link'))
  })
  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  const run = async (name: 'katman' | 'oras', ...words: readonly string[]): Promise<string> => {
    const env = { ...process.env, HOME: folder, DOCKER_CONFIG: path.join(folder, 'docker') }
    const command = name === 'katman' ? program : goTool('oras')
    return (await runChecked(command, words, { env, cwd: folder })).stdout
  }
  const push = {
    katman: (...words: readonly string[]) => run('katman', 'artifact', 'push', ...words),
    oras: (...words: readonly string[]) => run('oras', 'push', ...words),
  }
  // oras speaks plain http to this name unasked.
  const host = (): string => registry.host.replace('127.0.0.1', 'localhost')
  const created = 'org.opencontainers.image.created=2026-01-02T03:04:05Z'
  const raw = async (name: string): Promise<string> => run('oras', 'manifest', 'fetch', name)

  it.each([
    ['files with and without a type', ['a.txt:text/plain', 'b.json']],
    ['a type and annotations', ['--artifact-type', 'application/x', '-a', 'k=<v>', 'a.txt']],
    ['a config', ['--config', 'b.json:application/y', 'a.txt:text/plain']],
    ['no file', ['-a', 'k=v']],
  ])('are the same manifest: %s', async (_, words) => {
    const flags = words.filter((word, at) => word.startsWith('-') || words[at - 1]?.startsWith('-'))
    const files = words.filter((word) => !flags.includes(word))
    const manifests: string[] = []
    for (const name of ['oras', 'katman'] as const) {
      const target = `${host()}/same/${name}:v1`
      await push[name]('-a', created, ...flags, target, ...files)
      manifests.push(await raw(target))
    }
    expect(manifests[1]).toBe(manifests[0])
  })

  it('are pulled by the other: files and a folder', async () => {
    for (const name of ['oras', 'katman'] as const) {
      const target = `${host()}/both/${name}:v1`
      await push[name](target, 'a.txt', 'tree')
      await run('oras', 'pull', '-o', `${name}-by-oras`, target)
      await run('katman', 'artifact', 'pull', '-o', `${name}-by-katman`, target)
      for (const reader of ['oras', 'katman']) {
        const out = path.join(folder, `${name}-by-${reader}`)
        expect(await readFile(path.join(out, 'a.txt'), 'utf8')).toBe('hello <&>')
        expect(await readFile(path.join(out, 'tree/link'), 'utf8')).toBe('#!/bin/sh\n')
      }
    }
  })

  it('are attached and found by the other, in a registry and in layouts', async () => {
    const image = `${host()}/attach/app:v1`
    await push.katman(image, 'a.txt')
    await run('oras', 'attach', '--artifact-type', 'application/by-oras', image, 'b.json')
    await run(
      'katman',
      'artifact',
      'attach',
      '--artifact-type',
      'application/by-katman',
      image,
      'b.json',
    )
    const types = ['application/by-oras', 'application/by-katman']
    const layouts = { oras: 'layout-oras', katman: 'layout-katman' }
    await run('oras', 'cp', '-r', '--to-oci-layout', image, `${layouts.oras}:v1`)
    await run('katman', 'cp', '--referrers', image, `oci:${layouts.katman}:v1`)
    for (const type of types) {
      expect(await run('oras', 'discover', image)).toContain(type)
      expect(await run('katman', 'referrers', image)).toContain(type)
      for (const layout of Object.values(layouts)) {
        expect(await run('oras', 'discover', '--oci-layout', `${layout}:v1`), layout).toContain(
          type,
        )
        expect(await run('katman', 'referrers', `oci:${layout}:v1`), layout).toContain(type)
      }
    }
  })
})
