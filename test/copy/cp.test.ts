import path from 'node:path'
import { openMemoryStorage, type RegistryServer, serveRegistry } from '@katman/registry'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addImage, addIndex, platform } from '../hostile/hostile-image.ts'
import { openProgram, type TestProgram } from '../program/run-in-process.ts'

let katman: TestProgram
let registry: RegistryServer
let requests: string[]
let index: string
let arm: string

beforeEach(async () => {
  katman = await openProgram()
  const storage = openMemoryStorage()
  const amdImage = await addImage(storage)
  const armImage = await addImage(storage, { config: { architecture: 'arm64' } })
  arm = armImage.manifest.digest
  const entries = [
    { ...amdImage.manifest, platform },
    { ...armImage.manifest, platform: { os: 'linux', architecture: 'arm64' } },
  ]
  index = (await addIndex(storage, entries, 'both')).digest
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

  it('mounts within a registry, and says with --dry-run what would move', async () => {
    const target = `${registry.host}/copied/app:1`
    const would = await cp('--dry-run', source(), target)
    expect(would.match(/^missing {2}sha256:/gm)).toHaveLength(7)
    requests.length = 0
    await cp(source(), target)
    expect(requests.filter((one) => /^PUT .*\/blobs\//.test(one))).toEqual([])
    const again = await cp('--dry-run', source(), target)
    expect(again).not.toContain('missing')
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
