import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { katman, removeFolder, startKatman, temporaryFolder } from './program.ts'
import { randomBytesOf, seededRandom } from './random.ts'
import { gzipLayer, type SlowRegistry, startSlowRegistry, type TestImage } from './slow-registry.ts'

// Many processes on one store at once.

const random = seededRandom(7)
let folder: string
let registry: SlowRegistry
let images: TestImage[]

beforeAll(async () => {
  folder = await temporaryFolder()
  registry = await startSlowRegistry()
  const layer = (name: string, size: number): Uint8Array =>
    gzipLayer({ [`data/${name}`]: randomBytesOf(random, size) })
  const shared = [layer('base', 2_000_000), layer('tools', 700_000)]
  images = []
  for (const name of ['a', 'b', 'c', 'd']) {
    images.push(await registry.addImage(name, [...shared, layer(name, 400_000)]))
  }
})
afterAll(async () => {
  await registry[Symbol.asyncDispose]()
  await removeFolder(folder)
})

describe('one store, many processes', () => {
  it('8 pulls of overlapping images: every image whole, each blob fetched once', async () => {
    const root = path.join(folder, 'eight')
    registry.blobRequests.length = 0
    const pulls = [...images, ...images].map(({ reference }) =>
      katman(root, 'pull', '-q', reference),
    )
    for (const pull of await Promise.all(pulls)) {
      expect(pull).toMatchObject({ exitCode: 0, stderr: '' })
    }
    await expectAllWhole(root)
    const digests = new Set(images.flatMap(({ layers }) => layers.map(({ digest }) => digest)))
    const fetched = registry.blobRequests
      .filter(({ digest }) => [...digests].some((one) => one === digest))
      .map(({ digest }) => digest)
    expect(fetched.toSorted()).toEqual([...digests].toSorted())
  })

  it('a killed pull is taken over by one that waits for it', async () => {
    const root = path.join(folder, 'takeover')
    const [image] = images
    const reference = image?.reference ?? ''
    const first = startKatman(root, ['pull', '-q', reference])
    const base = Promise.withResolvers<void>()
    let seen = 0
    registry.onBytes = () => {
      seen++
      if (seen === 5) base.resolve()
    }
    await base.promise
    const second = startKatman(root, ['pull', '-q', reference])
    first.child.kill('SIGKILL')
    expect(await second.finished).toMatchObject({ exitCode: 0, stderr: '' })
    registry.onBytes = undefined
    expect((await katman(root, 'fsck', '--hash')).stdout).toMatch(/clean\n$/)
  })

  it('gc again and again during pulls, tags and removals loses nothing', async () => {
    const root = path.join(folder, 'collected')
    let pulling = true
    const collect = async (): Promise<number> => {
      let runs = 0
      for (; pulling; runs++) {
        expect(await katman(root, 'gc')).toMatchObject({ exitCode: 0, stderr: '' })
      }
      return runs
    }
    const collectors = [collect(), collect()]
    for (let round = 0; round < 3; round++) {
      const pulls = images.map(({ reference }) => katman(root, 'pull', '-q', reference))
      for (const pull of await Promise.all(pulls)) {
        expect(pull).toMatchObject({ exitCode: 0, stderr: '' })
      }
      const [first] = images
      if (round < 2) await katman(root, 'rmi', first?.reference ?? '')
    }
    pulling = false
    const runs = await Promise.all(collectors)
    expect(Math.min(...runs)).toBeGreaterThan(1)
    await expectAllWhole(root)
  })
})

async function expectAllWhole(root: string): Promise<void> {
  for (const { reference, digest, layers } of images) {
    const format = '{{json .RepoDigests}} {{len .RootFS.Layers}}'
    const { stdout } = await katman(root, 'inspect', '--format', format, reference)
    expect(stdout).toBe(`["${reference.replace(':latest', '')}@${digest}"] ${layers.length}\n`)
  }
  const checked = await katman(root, 'fsck', '--hash')
  expect(checked).toMatchObject({ exitCode: 0, stderr: '' })
  expect(checked.stdout).toMatch(/clean\n$/)
}
