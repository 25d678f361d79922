import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { katman, removeFolder, startKatman, temporaryFolder } from './program.ts'
import { randomBytesOf, seededRandom } from './random.ts'
import { gzipLayer, type SlowRegistry, startSlowRegistry, type TestImage } from './slow-registry.ts'

// kill -9 of real processes at random points. What they leave must be clean to fsck and simply be used by the
// next command. The seed is printed, so that a failure can be repeated: KATMAN_TEST_SEED.

const seed = Number(process.env['KATMAN_TEST_SEED'] ?? Date.now() % 1_000_000)
const random = seededRandom(seed)
const kills = 100
let folder: string
let registry: SlowRegistry
let image: TestImage

beforeAll(async () => {
  console.log(`seed ${seed}`)
  folder = await temporaryFolder()
  registry = await startSlowRegistry()
  const layer = (name: string, size: number): Uint8Array =>
    gzipLayer({ [`data/${name}`]: randomBytesOf(random, size), [`etc/${name}`]: Buffer.from(name) })
  image = await registry.addImage('killed', [
    layer('a', 3_000_000),
    layer('b', 2_000_000),
    layer('c', 500_000),
    layer('d', 20_000),
  ])
})
afterAll(async () => {
  await registry[Symbol.asyncDispose]()
  await removeFolder(folder)
})

describe('kill -9', () => {
  it(`of a pull at ${kills} points leaves a clean store that the next pull goes on with`, async () => {
    const root = path.join(folder, 'pull')
    let killed = 0
    let completed = 0
    let resumed = 0
    let asked = 0
    while (killed < kills) {
      registry.blobRequests.length = 0
      // Until it is whole, one store is pulled into and killed again and again.
      for (;;) {
        const isKilled = await pullAndKill(root)
        if (!isKilled) break
        killed++
        await expectClean(root)
      }
      completed++
      const ranges = registry.blobRequests.filter(({ start }) => start > 0)
      resumed += ranges.length
      for (const layer of image.layers) {
        const starts = registry.blobRequests
          .filter(({ digest }) => digest === layer.digest)
          .map(({ start }) => start)
        // Nothing that was kept is lost by a later kill.
        expect(starts).toEqual(starts.toSorted((left, right) => left - right))
        asked += starts.reduce((sum, start) => sum + layer.size - start, 0)
      }
      await expectWhole(root)
      const removed = await katman(root, 'rmi', image.reference)
      expect(removed).toMatchObject({ exitCode: 0, stderr: '' })
    }
    console.log(
      `${killed} kills, ${completed} pulls completed, ${resumed} resumed by Range, ${asked} bytes asked for ${completed * image.layerBytes}, ${(killed + completed) * image.layerBytes} without it`,
    )
    expect(completed).toBeGreaterThan(0)
    expect(resumed).toBeGreaterThan(0)
    expect(asked).toBeLessThan(((killed + completed) * image.layerBytes * 3) / 4)
  }, 600_000)

  it.each([
    ['rmi', ['rmi', 'again:1']],
    ['tag', ['tag', 'again:1', 'again:2']],
    ['gc', ['gc']],
    ['fsck --repair', ['fsck', '--hash', '--repair']],
  ])('of %s leaves a clean store', async (_, words) => {
    const root = path.join(folder, 'others')
    const prepare = async (): Promise<void> => {
      expect(await katman(root, 'pull', '-q', image.reference)).toMatchObject({ exitCode: 0 })
      expect(await katman(root, 'tag', image.reference, 'again:1')).toMatchObject({ exitCode: 0 })
    }
    await prepare()
    const started = performance.now()
    await katman(root, ...words)
    const duration = performance.now() - started
    for (let round = 0; round < 10; round++) {
      await prepare()
      const running = startKatman(root, words)
      const timer = setTimeout(() => running.child.kill('SIGKILL'), random() * duration)
      await running.finished
      clearTimeout(timer)
      await expectClean(root)
    }
  })
})

/** Pulls and kills at a random byte of the download, or a random time after its end. False when the pull won. */
async function pullAndKill(root: string): Promise<boolean> {
  const running = startKatman(root, ['pull', '-q', image.reference])
  const kill = (): void => void running.child.kill('SIGKILL')
  let timer: NodeJS.Timeout | undefined
  const point = random() * image.layerBytes
  let base: number | undefined
  registry.onBytes = (sent) => {
    base ??= sent
    if (sent - base >= point) kill()
  }
  if (random() < 0.4) timer = setTimeout(kill, 100 + random() * 400)
  const { signal, exitCode, stderr } = await running.finished
  clearTimeout(timer)
  registry.onBytes = undefined
  if (signal === 'SIGKILL') return true
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  return false
}

async function expectClean(root: string): Promise<void> {
  const checked = await katman(root, 'fsck', '--hash')
  expect(checked.stdout).toMatch(/clean\n$/)
  expect(checked).toMatchObject({ exitCode: 0, stderr: '' })
}

async function expectWhole(root: string): Promise<void> {
  const format = '{{json .RepoDigests}} {{len .RootFS.Layers}}'
  const { stdout } = await katman(root, 'inspect', '--format', format, image.reference)
  expect(stdout).toBe(
    `["${image.reference.replace(':latest', '')}@${image.digest}"] ${image.layers.length}\n`,
  )
  await expectClean(root)
}
