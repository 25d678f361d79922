import { execFileSync } from 'node:child_process'
import { readdir, readFile, stat, truncate } from 'node:fs/promises'
import path from 'node:path'
import type { Descriptor } from '@katman/oci'
import { openMemoryStorage, type RegistryServer, serveRegistry } from '@katman/registry'
import { openOciLayout } from '@katman/transfer'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addImage, addIndex, platform } from '../hostile/hostile-image.ts'
import { openProgram, type TestProgram } from '../program/run-in-process.ts'

let katman: TestProgram
let registry: RegistryServer
let requests: string[]
let index: string
let arm: string
let nested: () => Promise<Descriptor>

beforeEach(async () => {
  katman = await openProgram()
  const storage = await openMemoryStorage()
  const amdImage = await addImage(storage)
  const armImage = await addImage(storage, { config: { architecture: 'arm64' } })
  arm = armImage.manifest.digest
  const entries = [
    { ...amdImage.manifest, platform },
    { ...armImage.manifest, platform: { os: 'linux', architecture: 'arm64' } },
  ]
  index = (await addIndex(storage, entries, 'both')).digest
  nested = async () =>
    addIndex(storage, [
      await addIndex(storage, entries.slice(0, 1)),
      await addIndex(storage, entries.slice(1)),
    ])
  requests = []
  const onRequest = (event: { readonly method: string; readonly path: string }): void =>
    void requests.push(`${event.method} ${event.path}`)
  registry = await serveRegistry({ storage, onRequest })
})
afterEach(async () => {
  await registry.close()
  await katman[Symbol.asyncDispose]()
})

const cp = async (...words: readonly string[]): Promise<string> => {
  const result = await katman.run('cp', ...words)
  expect(result, words.join(' ')).toMatchObject({ exitCode: 0 })
  return result.stdout.trim()
}
const file = (name: string): string => path.join(katman.folder, name)
const source = (): string => `${registry.host}/team/app:both`

describe('cp from an archive whose image has a tag alone, as skopeo writes it', () => {
  it('finds the image by that tag', async () => {
    const layout = file('tagged')
    await cp('-q', source(), `oci:${layout}:v1`)
    const archive = file('tagged.tar')
    execFileSync('tar', ['-C', layout, '-cf', archive, 'oci-layout', 'index.json', 'blobs'])
    await cp('-q', `oci-archive:${archive}:v1`, 'store:local/tagged:1')
    const refused = await katman.run('cp', '-q', `oci-archive:${archive}:v2`, 'store:local/x:1')
    expect(refused.stderr).toContain('choose one of its images: v1')
  })
})

describe('cp', () => {
  const places = (): readonly string[] => [
    `${registry.host}/copied/app:1`,
    'store:copied:1',
    `oci:${file('layout')}:1`,
    `oci-archive:${file('oci.tar')}`,
    `docker-archive:${file('docker.tar')}`,
  ]

  it.each([0, 1, 2, 3, 4])(
    'goes to each kind of place and back with the same digest (%i)',
    async (at) => {
      const place = places()[at] ?? ''
      expect(await cp(source(), place)).toBe(index)
      for (const [number, other] of places().entries()) {
        if (number !== at) expect(await cp(place, other), other).toBe(index)
      }
      const back = `${registry.host}/back/app:1`
      expect(await cp(place, back)).toBe(index)
      const root = file('check')
      const pulled = await katman.run('--root', root, 'pull', '-q', '--platform', 'all', back)
      expect(pulled).toMatchObject({ exitCode: 0 })
      expect((await katman.run('--root', root, 'fsck', '--hash')).stdout).toMatch(/clean\n$/)
    },
  )

  it('narrows an index to one platform', async () => {
    expect(await cp('--platform', 'linux/arm64', source(), 'store:one')).toBe(arm)
    const shown = await katman.run('inspect', '-f', '{{.Architecture}}', 'one')
    expect(shown.stdout).toBe('arm64\n')
  })

  it('passes over nested indexes without the platform, and says what all of them have', async () => {
    const from = `${registry.host}/team/app@${(await nested()).digest}`
    expect(await cp('--platform', 'linux/arm64', from, 'store:one')).toBe(arm)
    const { exitCode, stderr } = await katman.run('cp', '--platform', 's390x', from, 'store:two')
    expect(exitCode).toBe(1)
    expect(stderr).toContain('no matching manifest for linux/s390x in the manifest list entries')
    expect(stderr).toContain('available: linux/amd64, linux/arm64')
    const layers = await katman.run('layers', '--remote', '--platform', 'linux/arm64', from)
    expect(layers).toMatchObject({ exitCode: 0, stderr: '' })
  })

  it('mounts within a registry, and says with --dry-run what would move', async () => {
    const target = `${registry.host}/copied/app:1`
    const would = await katman.run('cp', '--dry-run', source(), target)
    expect(would.stdout.match(/^mount {4}sha256:/gm)).toHaveLength(4)
    expect(would.stdout.match(/^missing {2}sha256:/gm)).toHaveLength(3)
    expect(would.stdout).toMatch(
      /\nto move: 3 \([\d.]+kB\), to mount from team\/app: 4 \(1\.05MB\), already there: 0 \(0B\)\n$/,
    )
    requests.length = 0
    await cp(source(), target)
    expect(requests.filter((one) => /^PUT .*\/blobs\//.test(one))).toEqual([])
    const again = await cp('--dry-run', source(), target)
    expect(again).not.toContain('missing')
  })

  it('makes nothing in a dry run, whatever the place', async () => {
    const places = [`oci:${file('new')}:1`, `oci-archive:${file('new.tar')}`, 'store:new']
    for (const place of places) {
      const root = file('nowhere')
      const would = await katman.run('--root', root, 'cp', '--dry-run', source(), place)
      expect(would, place).toMatchObject({ exitCode: 0 })
      expect(would.stdout.match(/^missing /gm), place).toHaveLength(7)
    }
    expect((await readdir(katman.folder)).filter((name) => name.startsWith('n'))).toEqual([])
  })

  it('reads an archive from standard input and writes one to standard output', async () => {
    await cp(source(), `oci-archive:${file('in.tar')}:app:1`)
    const archive = await readFile(file('in.tar'))
    const taken = await katman.runWith({ stdin: archive }, 'cp', '-', `oci:${file('layout')}:x`)
    expect(taken).toMatchObject({ exitCode: 0, stdout: `${index}\n` })
    const given = await katman.run('cp', `oci:${file('layout')}:x`, '-')
    expect(given).toMatchObject({ exitCode: 0 })
    // An archive has no bytes that are no text but its blobs.
    expect(given.stdout).toContain('oci-layout')
    const refused = await katman.runWith({ isTerminal: true }, 'cp', source(), '-')
    expect(refused.stderr).toContain('refusing to write an archive to a terminal')
  })

  it('copies all tags, each under its own, from and to every kind of place', async () => {
    const one = (
      await cp('--platform', 'linux/arm64', source(), `${registry.host}/team/app:one`)
    ).trim()
    const from = `${registry.host}/team/app`
    const layout = `oci:${file('all')}`
    const all = await cp('-a', from, layout)
    expect(all).toMatch(new RegExp(`^both: ${index}\nlatest: sha256:.*\none: ${one}$`))
    expect(await cp('-a', layout, `${registry.host}/all/app`)).toBe(all)
    await cp('--all-tags', from, 'store:all')
    expect(await cp('-a', 'store:all', `oci-archive:${file('all.tar')}`)).toContain('one: ')
    expect(await cp('-a', `oci-archive:${file('all.tar')}`, `${registry.host}/last/app`)).toContain(
      'both: ',
    )
    expect(await cp(`${registry.host}/last/app:one`, `oci:${file('last')}`)).toBe(one)
    for (const words of [
      ['-a', `${from}:both`, 'store:x'],
      ['-a', from, 'store:x:1'],
      ['-a', layout, `oci:${file('y')}:1`],
    ]) {
      const refused = await katman.run('cp', ...words)
      expect(refused, words.join(' ')).toMatchObject({ exitCode: 1 })
      expect(refused.stderr).toContain('with all tags, give ')
    }
  })

  it('names what it puts into a layout: as the source does, or lists it without a name', async () => {
    const names = async (layout: string): Promise<readonly (string | undefined)[]> =>
      (await (await openOciLayout(file(layout))).entries()).map(
        (entry) => entry.annotations?.['org.opencontainers.image.ref.name'],
      )
    await cp(source(), `oci:${file('a')}`)
    await cp(`oci:${file('a')}`, `oci:${file('b')}`)
    expect(await names('b')).toEqual(['both'])
    await cp(`${registry.host}/team/app@${index}`, `oci:${file('c')}`)
    expect(await names('c')).toEqual([undefined])
    expect(await cp(`oci:${file('c')}`, `oci:${file('c')}:named`)).toBe(index)
    expect(await names('c')).toEqual(['named'])
  })

  it('heals a truncated blob of a layout', async () => {
    await cp(source(), `oci:${file('a')}:1`)
    const [alg = '', hex = ''] = arm.split(':')
    const blob = file(`a/blobs/${alg}/${hex}`)
    await truncate(blob, 10)
    await cp(source(), `oci:${file('a')}:1`)
    expect((await stat(blob)).size).toBeGreaterThan(10)
    expect(await cp(`oci:${file('a')}:1`, `oci:${file('b')}:1`)).toBe(index)
  })

  it('gives a name with a digest to nothing else', async () => {
    for (const place of ['store:app', `${registry.host}/copied/app`]) {
      const refused = await katman.run('cp', source(), `${place}@${arm}`)
      expect(refused, place).toMatchObject({ exitCode: 1 })
      expect(refused.stderr).toContain('what is copied has another digest')
    }
  })

  it.each([
    [['cp', 'a'], "katman: 'katman cp' requires 2 arguments"],
    [['cp', 'oci:', 'store:x'], 'oci:: write oci:PATH or oci:PATH:NAME'],
    [['cp', 'oci-archive:/nope.tar', 'store:x'], 'open /nope.tar: no such file or directory'],
    [['cp', 'oci:/nope:x', 'store:x'], '/nope is not an OCI image layout'],
    [['cp', 'store:nope', 'oci:/tmp/katman-none:x'], 'No such image: nope:latest'],
    [['cp', 'UPPER/', 'store:x'], 'invalid reference format'],
  ])('refuses %j', async (words, message) => {
    const { exitCode, stderr } = await katman.run(...words)
    expect(exitCode).toBe(1)
    expect(stderr).toContain(message)
  })
})
