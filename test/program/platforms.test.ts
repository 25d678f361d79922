import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { openMemoryStorage, type RegistryServer, serveRegistry } from '@katman/registry'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addImage, addIndex, platform } from '../hostile/hostile-image.ts'
import { openProgram, type ProgramResult, type TestProgram } from './run-in-process.ts'

// One name with several platforms, as a user sees it.

let katman: TestProgram
let registry: RegistryServer
let name: string
let manifests: { readonly amd64: string; readonly arm64: string }
const run = (...words: readonly string[]): Promise<ProgramResult> => katman.run(...words)

beforeEach(async () => {
  katman = await openProgram()
  const storage = await openMemoryStorage()
  const image = await addImage(storage)
  const arm = await addImage(storage, {
    config: { architecture: 'arm64', variant: 'v8', history: [{ created_by: 'COPY arm /' }] },
  })
  const riscv = await addImage(storage, { config: { architecture: 'riscv64' } })
  const both = [
    { ...image.manifest, platform },
    { ...arm.manifest, platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } },
  ]
  await addIndex(storage, both, 'both')
  const third = { ...riscv.manifest, platform: { os: 'linux', architecture: 'riscv64' } }
  await addIndex(storage, [...both, third], 'three')
  manifests = { amd64: image.manifest.digest, arm64: arm.manifest.digest }
  registry = await serveRegistry({ storage })
  name = `${registry.host}/team/app:both`
})
afterEach(async () => {
  await registry.close()
  await katman[Symbol.asyncDispose]()
})

const missing = (wanted: string): string =>
  `image with reference ${name} was found but does not provide the specified platform (${wanted})`

describe('inspect --platform', () => {
  it('shows that platform of a name', async () => {
    await run('pull', '-q', '--platform', 'all', name)
    for (const command of [['inspect'], ['image', 'inspect']]) {
      const { stdout } = await run(...command, '--platform', 'linux/arm64', name)
      expect(JSON.parse(stdout)).toMatchObject([
        { RepoTags: [name], Architecture: 'arm64', Variant: 'v8' },
      ])
    }
  })

  it("says what is missing, and what is no platform, in docker's words", async () => {
    await run('pull', '-q', '--platform', 'linux/amd64', name)
    expect(await run('image', 'inspect', '--platform', 'linux/arm64', name)).toEqual({
      exitCode: 1,
      stdout: '[]\n',
      stderr: `Error response from daemon: ${missing('linux/arm64')}\nhint: here: linux/amd64\n`,
    })
    expect((await run('image', 'inspect', '--platform', 'a/b/c/d', name)).stderr).toBe(
      '"a/b/c/d": cannot parse platform specifier: invalid argument\n',
    )
  })
})

describe('history --platform', () => {
  it('shows the steps of that platform', async () => {
    await run('pull', '-q', '--platform', 'all', name)
    const format = ['--format', '{{.CreatedBy}}']
    expect((await run('history', ...format, '--platform', 'linux/arm64', name)).stdout).toBe(
      'COPY arm /\n',
    )
  })

  it("says what is missing, and what is no platform, in docker's words", async () => {
    await run('pull', '-q', '--platform', 'linux/amd64', name)
    expect((await run('history', '--platform', 'linux/s390x', name)).stderr).toBe(
      `Error response from daemon: ${missing('linux/s390x')}\nhint: here: linux/amd64\n`,
    )
    expect((await run('history', '--platform', 'a/b/c/d', name)).stderr).toBe(
      'invalid platform: "a/b/c/d": cannot parse platform specifier: invalid argument\n',
    )
  })
})

describe('rmi --platform', () => {
  it('removes one platform, and its content, with force only', async () => {
    await run('pull', '-q', '--platform', 'all', name)
    expect(await run('rmi', '--platform', 'linux/arm64', name)).toEqual({
      exitCode: 1,
      stdout: '',
      stderr:
        'Error response from daemon: Content will be removed from all images referencing this variant. Use —-force to force delete.\n',
    })
    expect(await run('rmi', '-f', '--platform', 'linux/arm64', name)).toEqual({
      exitCode: 0,
      stdout: `Deleted: ${manifests.arm64}\n`,
      stderr: '',
    })
    expect((await run('rmi', '-f', '--platform', 'linux/arm64', name)).stderr).toContain(
      missing('linux/arm64'),
    )
    const { stdout: tree } = await run('images', '--tree')
    expect(tree).toMatch(/─ linux\/arm64\/v8 +0B +0B\n/)
    expect((await run('fsck', '--hash')).stdout).toMatch(/clean\n$/)
    await run('pull', '-q', '--platform', 'linux/arm64', name)
    expect((await run('images', '--tree')).stdout).toMatch(/─ linux\/arm64\/v8 +\w{12} /)
  })

  it('takes several, with commas too, and the names with the last', async () => {
    await run('pull', '-q', '--platform', 'all', name)
    const { stdout } = await run('rmi', '-f', '--platform', 'linux/arm64,linux/amd64', name)
    expect(stdout).toContain(`Deleted: ${manifests.arm64}\n`)
    expect(stdout).toContain(`Untagged: ${name}\n`)
    expect((await run('images', '-q')).stdout).toBe('')
  })
})

describe('rmi', () => {
  it('of an id of a platform frees it', async () => {
    await run('pull', '-q', '--platform', 'all', name)
    const { stdout: id } = await run('inspect', '-f', '{{.ID}}', '--platform', 'linux/arm64', name)
    expect((await run('rmi', id.trim())).stdout).toContain(`Deleted: ${id.trim()}\n`)
    const { stdout: tree } = await run('images', '--tree')
    expect(tree).toMatch(/─ linux\/arm64\/v8 +0B +0B\n/)
  })

  it('-f fails for what is no pattern', async () => {
    expect(await run('rmi', '-f', '[')).toMatchObject({
      exitCode: 1,
      stderr: 'Error response from daemon: syntax error in pattern\n',
    })
    expect(await run('rmi', '-f', 'nope')).toMatchObject({ exitCode: 0 })
  })
})

describe('images --tree', () => {
  it('shows each platform with its sizes, and those that are not here', async () => {
    await run('pull', '-q', '--platform', 'linux/amd64', name)
    const before = await run('images', '--tree')
    expect(before.stdout).toMatch(
      /├─ linux\/amd64 +\w{12} +\S+B +\S+B\n└─ linux\/arm64\/v8 +0B +0B\n$/,
    )
    await run('pull', '-q', '--platform', 'all', name)
    const after = await run('images', '--tree')
    expect(after.stdout).toMatch(/└─ linux\/arm64\/v8 +\w{12} +[1-9]\S*B +[1-9]\S*B\n$/)
  })
})

describe('push', () => {
  it('of some platforms says which are missing when the registry wants all', async () => {
    const three = name.replace(':both', ':three')
    for (const wanted of ['linux/amd64', 'linux/arm64'])
      await run('pull', '-q', '--platform', wanted, three)
    await run('tag', three, `${registry.host}/copy:1`)
    const refused = await run('push', `${registry.host}/copy:1`)
    expect(refused).toMatchObject({
      exitCode: 1,
      stderr: `the registry refuses ${registry.host}/copy:1 as long as it lacks platforms, and these are not here: linux/riscv64\nhint: pull them, too (--platform all), or push one platform (--platform)\n`,
    })
    const one = await run('push', '--platform', 'linux/arm64', `${registry.host}/copy:1`)
    expect(one.stdout).toContain(`1: digest: ${manifests.arm64} size: `)
    await run('pull', '-q', '--platform', 'all', three)
    expect(await run('push', `${registry.host}/copy:2`)).toMatchObject({ exitCode: 1 })
    expect(await run('push', '-q', `${registry.host}/copy:1`)).toMatchObject({ exitCode: 0 })
  })
})

describe('layers --platform', () => {
  it('reads another platform of a name, and asks no registry for an id', async () => {
    await run('pull', '-q', '--platform', 'all', name)
    const { stdout } = await run('layers', '--platform', 'linux/arm64', name)
    expect(stdout).toContain('linux/arm64')
    const id = (await run('images', '-q')).stdout.trim()
    const missed = await run('layers', '--platform', 'linux/s390x', id)
    expect(missed).toMatchObject({
      exitCode: 1,
      stderr: `image with reference ${id} was found but does not provide the specified platform (linux/s390x)\nhint: here: linux/amd64\n`,
    })
  })
})

describe('cp to store:NAME@DIGEST', () => {
  it('gives no name with the digest of something else', async () => {
    const wrong = `store:app@${manifests.amd64}`
    const { exitCode, stderr } = await run('cp', name, wrong)
    expect(exitCode).toBe(1)
    expect(stderr).toContain(`app@${manifests.amd64}: what is copied has another digest: sha256:`)
    expect((await run('images', '-q')).stdout).toBe('')
    expect(await run('cp', '--platform', 'linux/amd64', name, wrong)).toMatchObject({ exitCode: 0 })
    const { stdout } = await run('inspect', '-f', '{{json .RepoDigests}}', manifests.amd64)
    expect(stdout).toBe(`["app@${manifests.amd64}"]\n`)
  })
})

describe('gc --quarantine', () => {
  it('removes what was set aside', async () => {
    await run('pull', '-q', name)
    const folder = path.join(katman.folder, 'store/quarantine')
    writeFileSync(path.join(folder, 'blob.x'), 'bad')
    expect((await run('gc')).stdout).toBe('Total reclaimed space: 0B\n')
    expect((await run('gc', '--quarantine')).stdout).toBe(
      'deleted: quarantine blob.x\nTotal reclaimed space: 3B\n',
    )
  })
})
