import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type Descriptor, parseDigest } from '@katman/oci'
import { openMemoryStorage, type RegistryServer, serveRegistry } from '@katman/registry'
import { createRemote, defaultSettings } from '@katman/remote'
import { copyContent, openMemoryPlace } from '@katman/transfer'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addReferrer } from '../../packages/transfer/test/referrer-suite.ts'
import { addImage, addIndex, platform } from '../hostile/hostile-image.ts'
import { openProgram, type ProgramResult, type TestProgram } from '../program/run-in-process.ts'

let katman: TestProgram
let source: RegistryServer
let target: RegistryServer
let requests: string[]
let index: Descriptor
let file: string
beforeEach(async () => {
  katman = await openProgram()
  file = path.join(katman.folder, 'sync.yaml')
  const storage = await openMemoryStorage()
  const { manifest } = await addImage(storage, { tag: '1.0' })
  const arm = await addImage(storage, { tag: '1.1', config: { architecture: 'arm64' } })
  index = await addIndex(
    storage,
    [
      { ...manifest, platform },
      { ...arm.manifest, platform: { os: 'linux', architecture: 'arm64' } },
    ],
    '2.0',
  )
  source = await serveRegistry({ storage })
  requests = []
  target = await serveRegistry({
    storage: await openMemoryStorage(),
    onRequest: ({ method, path: asked }) => void requests.push(`${method} ${asked}`),
  })
})
afterEach(async () => {
  await source.close()
  await target.close()
  await katman[Symbol.asyncDispose]()
})

const from = (): string => `${source.host}/team/app`
const to = (rest = ''): string => `${target.host}/mirror/app${rest}`
const sync = async (text: string, ...words: readonly string[]): Promise<ProgramResult> => {
  await writeFile(file, text)
  return katman.run('sync', file, ...words)
}
const written = (): readonly string[] => requests.filter((one) => !/^(?:GET|HEAD) /.test(one))

describe('sync', () => {
  it('copies the chosen tags, and nothing the second time', async () => {
    const text = `sync:\n  - source: ${from()}\n    target: ${to()}\n    tags: ["1.*"]\n`
    const dry = await sync(text, '--dry-run')
    expect(dry).toMatchObject({ exitCode: 0, stderr: '' })
    expect(dry.stdout).toContain(`${from()}:1.0 -> ${to(':1.0')}: to copy, 2 blobs, 1.049MB\n`)
    expect(written()).toEqual([])
    const first = await sync(text)
    expect(first).toMatchObject({ exitCode: 0, stderr: '' })
    expect(first.stdout).toMatch(/^2 images: 2 copied \(1\.049MB\), 0 up to date$/m)
    expect((await katman.run('tags', '-q', to())).stdout).toBe('1.1\n1.0\n')
    requests.length = 0
    const second = await sync(text)
    expect(second.stdout).toBe(
      `${from()}:1.0 -> ${to(':1.0')}: up to date\n${from()}:1.1 -> ${to(':1.1')}: up to date\n2 images: 0 copied (0B), 2 up to date\n`,
    )
    expect(written()).toEqual([])
    expect(requests.filter((one) => !/\/v2\/$|^HEAD /.test(one))).toEqual([])
  })

  it('goes on after what fails, and tells it at the end with its line', async () => {
    const text = `sync:
  - {source: ${source.host}/no/such, target: ${to()}}
  - {source: "${from()}:none", target: "${to(':x')}"}
  - {source: ${from()}, target: ${to()}, tags: ["9.*"]}
  - {source: "${from()}:1.0", target: "${to(':one')}"}
`
    const { exitCode, stdout, stderr } = await sync(text)
    expect(exitCode).toBe(1)
    expect(stdout).toMatch(/^1 image: 1 copied/m)
    expect(stderr).toContain('3 failed:\n')
    const last = stderr.slice(stderr.indexOf('3 failed:')).split('\n')
    expect(last[1]).toContain(`${file}:2: ${source.host}/no/such: `)
    expect(last[2]).toContain(`${file}:3: ${from()}:none -> ${to(':x')}: `)
    expect(last[3]).toContain(`${file}:4: ${from()}: no tag fits`)
  })

  it('copies one platform as its image and several as an index of them, repeatably', async () => {
    const text = (platforms: string): string =>
      `sync:\n  - source: ${from()}:2.0\n    target: ${to(':2.0')}\n    platforms: ${platforms}\n`
    await sync(text('[linux/arm64]'))
    const one = await katman.run('manifest', 'inspect', to(':2.0'))
    expect(one.stdout).toContain('"layers"')
    await sync(text('[linux/arm64, linux/amd64]'))
    const all = await katman.run('buildx', 'imagetools', 'inspect', to(':2.0'))
    expect(all.stdout).toContain(index.digest)
    expect((await sync(text('[linux/arm64, linux/amd64]'))).stdout).toContain('up to date')
    const lacking = await sync(text('[linux/s390x]'))
    expect(lacking.stderr).toContain('no matching manifest for linux/s390x')
  })

  it('brings what refers to an image, also when it came later', async () => {
    const text = `sync:\n  - {source: ${from()}, target: ${to()}, tags: ["2.0"], referrers: true}\n`
    await sync(text)
    expect((await sync(text)).stdout).toContain('up to date')
    await using remote = createRemote({
      settings: defaultSettings,
      credentials: { get: async () => undefined },
      userAgent: 'katman-test',
    })
    const place = openMemoryPlace()
    const sbom = addReferrer(place, index, 'application/spdx+json')
    await copyContent(
      place,
      remote.repository({ registry: source.host, repository: 'team/app' }),
      sbom,
    )
    expect((await sync(text)).stdout).toContain('2.0: copied')
    expect((await katman.run('referrers', to(':2.0'))).stdout).toContain(sbom.digest)
  })

  it('reads a file of skopeo with a destination, a digest and standard input', async () => {
    const text = `${source.host}:\n  images:\n    team/app: ["1.0", "${index.digest}"]\n`
    const { stdout, stderr } = await katman.runWith(
      { stdin: text },
      'sync',
      '-',
      `${target.host}/deep`,
    )
    expect(stderr).toBe('')
    expect(stdout).toContain(`-> ${target.host}/deep/app:1.0: copied`)
    expect(stdout).toContain(`-> ${target.host}/deep/app@${parseDigest(index.digest)}: copied`)
    const failed = await sync(text)
    expect(failed.stderr).toContain(`${file}:2: the file names no targets`)
  })

  it('says when there is no such file', async () => {
    const { exitCode, stderr } = await katman.run('sync', '/nope.yaml')
    expect(exitCode).toBe(1)
    expect(stderr).toContain('/nope.yaml')
  })
})
