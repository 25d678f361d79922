import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { testImages } from '../peers/images.ts'
import { type RegistryPeer, startRegistry } from '../peers/registry.ts'
import { describePeers, goTool } from '../peers/require-peer.ts'
import { copyToRegistry, pushRealImages } from '../peers/skopeo.ts'
import { type CommandResult, runChecked, runCommand } from '../peers/terminal.ts'
import { digestOf } from '../round-trips/facts.ts'

// `buildx imagetools create` by Katman and by the real buildx, crane and regctl: the same bytes in the registry.

const program = path.resolve(import.meta.dirname, '../../packages/cli/bin/katman.js')
let folder: string
let registry: RegistryPeer
let second: RegistryPeer

describePeers('imagetools', ['docker-registry', 'skopeo', 'images', 'buildx'], () => {
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'katman-imagetools-'))
    registry = await startRegistry()
    second = await startRegistry()
    await pushRealImages(testImages(), registry.host)
    await copyToRegistry(testImages(), 'alpine:3.12', `${second.host}/far/alpine:3.12`)
    const flags = ['-q', '--src-tls-verify=false', '--dest-tls-verify=false', '-f', 'v2s2']
    for (const name of ['alpine:3.12', 'hello-world:latest']) {
      const [from, to] = [`${registry.host}/library/${name}`, `${registry.host}/v2s2/${name}`]
      await runChecked('/usr/bin/skopeo', [
        'copy',
        ...flags,
        '--all',
        `docker://${from}`,
        `docker://${to}`,
      ])
    }
    const { digest, size } = (await childrenOf('library/alpine:3.20'))[2] ?? {}
    const mediaType = 'application/vnd.oci.image.manifest.v1+json'
    const annotations = { 'from.file': 'yes', 'a.first': '<1 & 2>' }
    const platform = { os: 'linux', architecture: 'arm', variant: 'v7' }
    const descriptor = { mediaType, digest, size, annotations, platform }
    await writeFile(path.join(folder, 'descriptor.json'), JSON.stringify(descriptor, null, 1))
    await writeFile(path.join(folder, 'digest'), digest ?? '')
  })
  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await second[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  /** `{3.20}` is the index, `{3.20#2}` its third entry by digest, `{@3.20#2}` the digest alone. */
  const cases: readonly (readonly [string, string])[] = [
    ['an index alone', '{alpine:3.20}'],
    ['an image alone', '{alpine:3.12}'],
    ['an image alone, --prefer-index=false', '--prefer-index=false {alpine:3.12}'],
    ['an arm64 image alone', '{alpine:3.20#1}'],
    ['images of one index, out of order', '{alpine:3.20#3} {alpine:3.20#0} {alpine:3.20#5}'],
    ['images of two repositories', '{alpine:3.20#0} {busybox:latest#1} {hello-world:latest#2}'],
    ['two whole indexes', '{alpine:3.20} {busybox:latest}'],
    ['the same image twice', '{alpine:3.20#0} {alpine:3.20} {alpine:3.20#0}'],
    ['an image of another registry', '{alpine:3.20#1} SECOND/far/alpine:3.12'],
    ['Docker manifests only', 'FIRST/v2s2/hello-world:latest FIRST/v2s2/alpine:3.12'],
    ['a Docker list alone', 'FIRST/v2s2/hello-world:latest'],
    ['a Docker list, one platform', '-p linux/arm64 FIRST/v2s2/hello-world:latest'],
    ['Docker and OCI together', 'FIRST/v2s2/alpine:3.12 {alpine:3.20#1}'],
    ['one platform of an index', '--platform linux/arm64 {alpine:3.20}'],
    ['two platforms with a comma', '-p linux/s390x,linux/amd64 {alpine:3.20}'],
    ['an exact variant', '-p linux/arm/v6 {alpine:3.20}'],
    ['arm without a variant', '-p linux/arm {alpine:3.20}'],
    ['platforms of two sources', '-p linux/amd64 -p linux/386 {alpine:3.20} {busybox:latest}'],
    ['every platform there is', '-p linux/amd64 {alpine:3.12} --prefer-index=false'],
    ['annotations of the index', '--annotation index:z=1 --annotation index:a=<b>&c {alpine:3.20}'],
    ['annotations of entries', '--annotation manifest-descriptor:by=me {alpine:3.20}'],
    [
      'an annotation of one platform',
      '--annotation manifest-descriptor[linux/arm64]:by=me {alpine:3.20#0} {alpine:3.20#1}',
    ],
    ['an annotation of both', '--annotation index,manifest-descriptor:k=v=w {busybox:latest}'],
    ['a descriptor from a file', '-f FOLDER/descriptor.json'],
    ['a digest from a file', '-f FOLDER/digest {alpine:3.20#0}'],
    ['a digest alone', '{alpine:3.20#0} {@alpine:3.20#4}'],
  ]

  it.each(cases)('of %s', async (_, line) => {
    const words = await expand(line)
    // A source without a name must be of the one repository that there is.
    const isNear = line.includes('FOLDER') || line.includes('{@')
    for (const name of ['buildx', 'katman'] as const) {
      await run(name, ...words, '-t', `${registry.host}/library/alpine:${name}`)
      if (!isNear) await run(name, ...words, '-t', `${second.host}/copied/${name}:1`)
    }
    const [theirs, ours] = await Promise.all(['buildx', 'katman'].map(pushed))
    expect(ours).toBe(theirs)
    const dryWords = isNear ? ['-t', `${registry.host}/library/alpine:dry`, ...words] : words
    const shown = await run('buildx', '--dry-run', ...dryWords)
    const dry = await run('katman', '--dry-run', ...dryWords)
    expect(dry.stdout).toBe(shown.stdout)
    expect(dry.stdout).toBe(`${ours}\n`)
    if (isNear) return
    expect(await fetchText(second, 'copied/katman', '1')).toBe(ours)
    expect(await fetchText(second, 'copied/buildx', '1')).toBe(ours)
    // The copy in the other registry is whole: skopeo reads all of it.
    const flags = ['-q', '--all', '--src-tls-verify=false']
    const places = [
      `docker://${second.host}/copied/katman:1`,
      `oci:${path.join(folder, 'whole')}:1`,
    ]
    await runChecked('/usr/bin/skopeo', ['copy', ...flags, ...places])
  })

  it('appended to what the tag has', async () => {
    const steps = ['{alpine:3.20#0}', '--append {busybox:latest#1}', '--append {alpine:3.20#2}']
    for (const line of steps) {
      const words = await expand(line)
      for (const name of ['buildx', 'katman'] as const) {
        await run(name, ...words, '-t', `${registry.host}/library/appended:${name}`)
      }
    }
    const texts = ['buildx', 'katman'].map((tag) => fetchText(registry, 'library/appended', tag))
    const [theirs, ours] = await Promise.all(texts)
    expect(ours).toBe(theirs)
  })

  it('under several tags, and its metadata in a file', async () => {
    const words = await expand('{alpine:3.20#0} {alpine:3.20#1}')
    const files: string[] = []
    for (const name of ['buildx', 'katman'] as const) {
      const file = path.join(folder, `${name}.json`)
      const tags = ['b/b:1', 'a/a:2', 'b/b:3'].flatMap((tag) => ['-t', `${registry.host}/${tag}`])
      await run(name, ...words, ...tags, '--metadata-file', file)
      files.push(await readFile(file, 'utf8'))
      expect(await fetchText(registry, 'b/b', '3')).toBe(await fetchText(registry, 'a/a', '2'))
    }
    expect(files[1]).toBe(files[0])
  })

  it.each([
    ['no source', '-t FIRST/x/y:1'],
    ['no source but --append', '--append -t FIRST/x/y:1'],
    ['no tag', '{alpine:3.20}'],
    ['no such platform', '-p linux/mips {alpine:3.20} -t FIRST/x/y:1'],
    ['another platform', '-p linux/mips --prefer-index=false {alpine:3.12} -t FIRST/x/y:1'],
    ['an annotation of the manifest', '--annotation manifest:a=b {alpine:3.20} -t FIRST/x/y:1'],
    ['an annotation without kind', '--annotation a=b {alpine:3.20} -t FIRST/x/y:1'],
    ['an unknown kind', '--annotation foo:a=b {alpine:3.20} -t FIRST/x/y:1'],
    ['no value', '--annotation index:a {alpine:3.20} -t FIRST/x/y:1'],
    ['a descriptor kind', '--annotation index-descriptor:a=b {alpine:3.20} -t FIRST/x/y:1'],
    ['a digest of which repository', '{@alpine:3.20#4} {busybox:latest} -t FIRST/x/y:1'],
    ['a bad platform', '-p linux/a/b/c/d {alpine:3.20} -t FIRST/x/y:1'],
    ['a manifest in a file', '-f FOLDER/manifest.json {alpine:3.20} -t FIRST/x/y:1'],
  ])('refused with the same words: %s', async (_, line) => {
    await writeFile(path.join(folder, 'manifest.json'), '{"schemaVersion":2,"manifests":[]}')
    const words = await expand(line)
    const [theirs, ours] = await Promise.all([attempt('buildx', words), attempt('katman', words)])
    expect(ours.exitCode).toBe(theirs.exitCode)
    expect(ours.stderr.split('\n')[0]).toBe(theirs.stderr.split('\n')[0])
  })

  describePeers('and crane, regctl', ['crane', 'regctl'], () => {
    it('join images to an index of the same entries', async () => {
      const words = await expand('{alpine:3.20#0} {busybox:latest#2} {alpine:3.12}')
      const tag = (name: string): string => `${registry.host}/joined/app:${name}`
      await run('katman', ...words, '-t', tag('katman'))
      const sources = words.flatMap((word) => ['-m', word])
      await runChecked(goTool('crane'), [
        '--insecure',
        'index',
        'append',
        ...sources,
        '-t',
        tag('crane'),
      ])
      const env = { ...process.env, HOME: folder }
      const hosts = ['registry', 'set', '--tls=disabled', '--skip-check', registry.host]
      await runChecked(goTool('regctl'), hosts, { env })
      const refs = words.flatMap((word) => ['--ref', word])
      await runChecked(goTool('regctl'), ['index', 'create', ...refs, tag('regctl')], { env })
      const ours = await childrenOf('joined/app:katman')
      expect(ours).toHaveLength(3)
      // Both add more: the type of the config, the annotations of the manifest.
      for (const peer of ['crane', 'regctl']) {
        const theirs = await childrenOf(`joined/app:${peer}`)
        expect(theirs.map(contentOf), peer).toEqual(ours.map(contentOf))
      }
      const validity = ['--insecure', 'validate', '--remote', tag('katman')]
      expect((await runChecked(goTool('crane'), validity)).stdout).toContain('PASS')
    })
  })
})

type Name = 'buildx' | 'katman'

function attempt(name: Name, words: readonly string[]): Promise<CommandResult> {
  const env = {
    ...process.env,
    HOME: folder,
    DOCKER_CONFIG: path.join(folder, 'docker'),
    DOCKER_HOST: 'unix:///nowhere/docker.sock',
    KATMAN_ROOT: path.join(folder, 'store'),
  }
  return name === 'buildx'
    ? runCommand(goTool('buildx'), ['imagetools', 'create', '--progress=plain', ...words], { env })
    : runCommand(program, ['buildx', 'imagetools', 'create', ...words], { env })
}

async function run(name: Name, ...words: readonly string[]): Promise<CommandResult> {
  const result = await attempt(name, words)
  expect(result, `${name} ${words.join(' ')}`).toMatchObject({ exitCode: 0 })
  return result
}

async function expand(line: string): Promise<readonly string[]> {
  const words: string[] = []
  for (const word of line.split(' ')) {
    const found = /^\{(@?)([^#]+?)(?:#(\d))?\}$/.exec(word)
    const [, alone, name = '', position] = found ?? []
    const repository = `${registry.host}/library/${name.split(':')[0]}`
    const children = position === undefined ? [] : await childrenOf(`library/${name}`)
    const digest = children[Number(position)]?.digest ?? ''
    const full = word
      .replace('FIRST', registry.host)
      .replace('SECOND', second.host)
      .replace('FOLDER', folder)
    if (found === null) words.push(full)
    else if (position === undefined) words.push(`${registry.host}/library/${name}`)
    else words.push(alone === '@' ? digest : `${repository}@${digest}`)
  }
  return words
}

function pushed(tag: string): Promise<string> {
  return fetchText(registry, 'library/alpine', tag)
}

interface Entry {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
  readonly platform?: { readonly os: string; readonly architecture: string }
}

async function childrenOf(name: string): Promise<readonly Entry[]> {
  const [repository = '', tag = ''] = name.split(':')
  const text = await fetchText(registry, repository, tag)
  return (JSON.parse(text) as { manifests: readonly Entry[] }).manifests
}

function contentOf({ mediaType, digest, size, platform }: Entry): unknown {
  return { mediaType, digest, size, os: platform?.os, architecture: platform?.architecture }
}

async function fetchText(from: RegistryPeer, repository: string, tag: string): Promise<string> {
  const accept = [
    'application/vnd.oci.image.index.v1+json',
    'application/vnd.oci.image.manifest.v1+json',
    'application/vnd.docker.distribution.manifest.list.v2+json',
    'application/vnd.docker.distribution.manifest.v2+json',
  ].join(', ')
  const answer = await fetch(`${from.url}/v2/${repository}/manifests/${tag}`, {
    headers: { accept },
  })
  const text = await answer.text()
  expect(answer.status, text).toBe(200)
  expect(answer.headers.get('docker-content-digest')).toBe(digestOf(Buffer.from(text)))
  const { mediaType } = JSON.parse(text) as { mediaType?: string }
  expect(answer.headers.get('content-type')).toBe(mediaType)
  return text
}
