import path from 'node:path'
import { openMemoryStorage, type RegistryServer, serveRegistry } from '@katman/registry'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addImage, addIndex, platform } from '../hostile/hostile-image.ts'
import { openProgram, type ProgramResult, type TestProgram } from '../program/run-in-process.ts'

// Push as a user sees it: from a store to the registry of this project, over HTTP.

let katman: TestProgram
const run = (...words: readonly string[]): Promise<ProgramResult> => katman.run(...words)
let registry: RegistryServer
let other: RegistryServer
let requests: string[]
let index: string
let manifest: string

beforeEach(async () => {
  katman = await openProgram()
  requests = []
  const storage = await openMemoryStorage()
  const image = await addImage(storage)
  const arm = await addImage(storage, { config: { architecture: 'arm64' } })
  const entries = [
    { ...image.manifest, platform },
    { ...arm.manifest, platform: { os: 'linux', architecture: 'arm64' } },
  ]
  index = (await addIndex(storage, entries, 'both')).digest
  manifest = image.manifest.digest
  const onRequest = ({ method, path: where }: { method: string; path: string }): void =>
    void requests.push(`${method} ${where}`)
  registry = await serveRegistry({ storage, onRequest })
  other = await serveRegistry({ storage: await openMemoryStorage(), onRequest })
})
afterEach(async () => {
  await registry.close()
  await other.close()
  await katman[Symbol.asyncDispose]()
})

describe('push', () => {
  it('keeps the digest of an index and all its platforms', async () => {
    await run('pull', '-q', '--platform', 'all', `${registry.host}/team/app:both`)
    await run('tag', `${registry.host}/team/app:both`, `${other.host}/moved/app:1`)
    const pushed = await run('push', `${other.host}/moved/app:1`)
    expect(pushed.stdout).toMatch(
      new RegExp(
        `^The push refers to repository \\[${other.host}/moved/app\\]\n` +
          String.raw`(\w{12}: Preparing\n){2}` +
          String.raw`(\w{12}: Pushed\n){2}` +
          String.raw`1: digest: ${index} size: \d+` +
          '\n$',
      ),
    )
    const again = path.join(katman.folder, 'again')
    await run(
      '--root',
      again,
      'pull',
      '-q',
      '--platform',
      'all',
      `${other.host}/moved/app@${index}`,
    )
    expect((await run('--root', again, 'fsck', '--hash')).stdout).toMatch(/clean\n$/)
  })

  it('moves no blob that is there, and mounts what another repository has', async () => {
    await run('pull', '-q', `${registry.host}/team/app:latest`)
    await run('tag', `${registry.host}/team/app:latest`, `${registry.host}/team/copy:1`)
    requests.length = 0
    const mounted = await run('push', `${registry.host}/team/copy:1`)
    expect(mounted.stdout.match(/\w{12}: Mounted from team\/app\n/g)).toHaveLength(2)
    expect(mounted.stdout).not.toContain('Pushed')
    expect(requests.filter((one) => /^(PUT|PATCH) .*\/blobs\//.test(one))).toEqual([])
    requests.length = 0
    await run('tag', `${registry.host}/team/app:latest`, `${registry.host}/team/copy:2`)
    const again = await run('push', `${registry.host}/team/copy:2`)
    expect(again.stdout.match(/: Layer already exists\n/g)).toHaveLength(2)
    expect(requests.filter((one) => one.startsWith('POST'))).toEqual([])
  })

  it('of what the tag stands for already asks one question, and says what it says else', async () => {
    await run('pull', '-q', '--platform', 'all', `${registry.host}/team/app:both`)
    await run('tag', `${registry.host}/team/app:both`, `${other.host}/moved/app:1`)
    const first = await run('push', `${other.host}/moved/app:1`)
    requests.length = 0
    const again = await run('push', `${other.host}/moved/app:1`)
    expect(again.stdout).toBe(first.stdout.replaceAll(': Pushed', ': Layer already exists'))
    expect(requests).toEqual(['GET /v2/', 'HEAD /v2/moved/app/manifests/1'])
  })

  it('of one platform leaves the index of the tag that it came from', async () => {
    const name = `${registry.host}/team/app:both`
    await run('pull', '-q', name, '--platform', 'linux/amd64')
    const { stdout } = await run('push', name)
    expect(stdout).toContain(`both: digest: ${index} size: `)
    expect(stdout.match(/: Layer already exists\n/g)).toHaveLength(2)
    expect((await run('tags', '-q', `${registry.host}/team/app`)).stdout).toContain('both\n')
    const there = await run('manifest', 'inspect', '--insecure', name)
    expect(there.stdout).toContain('arm64')
  })

  it('remembers the digest that it finds there, pushed by another store', async () => {
    const name = `${other.host}/again/app:1`
    await run('pull', '-q', `${registry.host}/team/app:latest`)
    await run('tag', `${registry.host}/team/app:latest`, name)
    await run('push', '-q', name)
    const second = path.join(katman.folder, 'second')
    await run('--root', second, 'pull', '-q', `${registry.host}/team/app:latest`)
    await run('--root', second, 'tag', `${registry.host}/team/app:latest`, name)
    await run('--root', second, 'push', '-q', name)
    const digests = await run('--root', second, 'images', '--digests', `${other.host}/again/app`)
    expect(digests.stdout).toMatch(/ +1 +sha256:[0-9a-f]{64} /)
  })

  it('of one platform of an index pushes that image, and says what is missing', async () => {
    await run('pull', '-q', `${registry.host}/team/app:both`, '--platform', 'linux/amd64')
    await run('tag', `${registry.host}/team/app:both`, `${other.host}/one:1`)
    const { stdout } = await run('push', `${other.host}/one:1`)
    expect(stdout).toContain(`1: digest: ${manifest} size: `)
    expect(stdout).toContain('Not pushed, because not here: linux/arm64\n')
    const refused = await run('push', '--platform', 'linux/arm64', `${other.host}/one:1`)
    expect(refused).toMatchObject({ exitCode: 1 })
    expect(refused.stderr).toBe(
      `image with reference ${other.host}/one:1 was found but does not provide the specified platform (linux/arm64)\nhint: here: linux/amd64\n`,
    )
  })

  it('of all tags goes by name; -q prints the name alone', async () => {
    await run('pull', '-q', `${registry.host}/team/app:latest`)
    for (const tag of ['b', 'a']) {
      await run('tag', `${registry.host}/team/app:latest`, `${other.host}/all:${tag}`)
    }
    const { stdout } = await run('push', '-a', `${other.host}/all`)
    expect(stdout.match(/^(\w+): digest: /gm)).toEqual(['a: digest: ', 'b: digest: '])
    expect((await run('push', '-q', '-a', `${other.host}/all`)).stdout).toBe(`${other.host}/all\n`)
    expect((await run('tags', '-q', `${other.host}/all`)).stdout).toBe('a\nb\n')
  })

  it.each([
    [['push', 'HOST/none'], 'An image does not exist locally with the tag: HOST/none\n'],
    [['push', 'HOST/team/app:2'], 'tag does not exist: HOST/team/app:2\n'],
    [['push', '-a', 'HOST/team/app:2'], "tag can't be used with --all-tags/-a\n"],
    [['push', `HOST/team/app@sha256:${'0'.repeat(64)}`], 'cannot push a digest reference\n'],
    [
      ['push', 'HOST/Team/app'],
      'invalid reference format: repository name (Team/app) must be lowercase\n',
    ],
  ])('refuses %j', async (words, message) => {
    await run('pull', '-q', `${registry.host}/team/app:latest`)
    const host = (text: string): string => text.replaceAll('HOST', registry.host)
    const failed = await run(...words.map(host))
    expect(failed).toMatchObject({ exitCode: 1, stderr: host(message) })
  })
})
