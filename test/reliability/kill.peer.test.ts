import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { katman, removeFolder, startKatman, temporaryFolder } from './program.ts'
import { randomBytesOf, seededRandom } from './random.ts'
import { gzipLayer, type SlowRegistry, startSlowRegistry, type TestImage } from './slow-registry.ts'

// kill -9 of real processes at random points. What they leave must be clean to fsck and simply be used by the
// next command. The seed is printed, so that a failure can be repeated: KATMAN_TEST_SEED. Other commands are killed in
// every-call.peer.test.ts.

const seed = Number(process.env['KATMAN_TEST_SEED'] ?? Date.now() % 1_000_000)
const random = seededRandom(seed)
const kills = 100
let folder: string
let lanes: readonly Lane[]

/** A registry and a store of its own: two of them keep two processors busy. */
interface Lane {
  readonly registry: SlowRegistry
  readonly image: TestImage
  readonly root: string
  /** How long a pull takes that nobody kills. */
  readonly durationMs: number
}

/** What became of the kills of a lane. */
interface Tally {
  killed: number
  completed: number
  resumed: number
  /** Kills by what they left: nothing yet, part of a layer, whole layers only. */
  readonly left: Record<'nothing' | 'part' | 'layers', number>
  sentBytes: number
}

beforeAll(async () => {
  console.log(`seed ${seed}`)
  folder = await temporaryFolder()
  const layers = Object.entries({ a: 3_000_000, b: 2_000_000, c: 500_000, d: 20_000 }).map(
    ([name, size]) =>
      gzipLayer({ [`data/${name}`]: randomBytesOf(random, size), [`etc/${name}`]: encode(name) }),
  )
  const openLane = async (name: string): Promise<Lane> => {
    const registry = await startSlowRegistry()
    const image = await registry.addImage('killed', layers)
    const root = path.join(folder, name)
    const startedAt = performance.now()
    expect(await katman(root, 'pull', '-q', image.reference)).toMatchObject({ exitCode: 0 })
    const durationMs = performance.now() - startedAt
    return { registry, image, root, durationMs }
  }
  lanes = [await openLane('first'), await openLane('second')]
})
afterAll(async () => {
  for (const { registry } of lanes) await registry[Symbol.asyncDispose]()
  await removeFolder(folder)
})

describe('kill -9', () => {
  it(`of a pull at ${kills} points leaves a clean store that the next pull goes on with`, async () => {
    const tallies = await Promise.all(lanes.map(async (lane) => killPulls(lane, kills / 2)))
    const layerBytes = lanes[0]?.image.layerBytes ?? 0
    const sum = (of: (tally: Tally) => number): number =>
      tallies.reduce((total, tally) => total + of(tally), 0)
    const killed = sum((tally) => tally.killed)
    const completed = sum((tally) => tally.completed)
    const sentBytes = sum((tally) => tally.sentBytes)
    const left = {
      nothing: sum((tally) => tally.left.nothing),
      part: sum((tally) => tally.left.part),
      layers: sum((tally) => tally.left.layers),
    }
    console.log(
      `${killed} kills (they left ${JSON.stringify(left)}), ${completed} pulls completed, ${sentBytes} bytes sent for ${completed * layerBytes}, ${(killed + completed) * layerBytes} if each began anew`,
    )
    expect(left.part).toBeGreaterThan(10)
    expect(sum((tally) => tally.resumed)).toBeGreaterThan(10)
    // A kill wastes what it caught on the way, not what was kept.
    expect(sentBytes).toBeLessThan(((killed + completed) * layerBytes) / 2)
  }, 600_000)
})

/** Pulls into one store until it is whole, kills each pull, and begins again with an empty store. */
async function killPulls(lane: Lane, count: number): Promise<Tally> {
  const { registry, image, root } = lane
  const left = { nothing: 0, part: 0, layers: 0 }
  const tally: Tally = { killed: 0, completed: 0, resumed: 0, left, sentBytes: 0 }
  while (tally.killed < count) {
    const removed = await katman(root, 'rmi', image.reference)
    expect(removed).toMatchObject({ exitCode: 0, stderr: '' })
    registry.blobRequests.length = 0
    while (await pullAndKill(lane)) {
      tally.killed++
      left[await whatIsLeft(root)]++
      await expectClean(root)
    }
    tally.completed++
    tally.resumed += registry.blobRequests.filter(({ start }) => start > 0).length
    for (const layer of image.layers) {
      const requests = registry.blobRequests.filter(({ digest }) => digest === layer.digest)
      const starts = requests.map(({ start }) => start)
      // Nothing that was kept is lost by a later kill.
      expect(starts).toEqual(starts.toSorted((left, right) => left - right))
      tally.sentBytes += requests.reduce((sum, { sent }) => sum + sent, 0)
    }
    await expectWhole(lane)
  }
  return tally
}

/**
 * Pulls, and kills at a random byte of the download, at a random time of a whole pull, or just after the last
 * byte. False when the pull won.
 */
async function pullAndKill({ registry, image, root, durationMs }: Lane): Promise<boolean> {
  const running = startKatman(root, ['pull', '-q', image.reference])
  const kill = (): void => void running.child.kill('SIGKILL')
  const timers: NodeJS.Timeout[] = []
  const way = random()
  if (way < 0.3) timers.push(setTimeout(kill, random() * durationMs))
  const point = random() * leftBytes(registry, image)
  const delayMs = random() * 40
  let before: number | undefined
  registry.onBytes = (sent) => {
    before ??= sent
    if (way < 0.3) return
    if (way < 0.65 && sent - before >= point) kill()
    if (way >= 0.65 && leftBytes(registry, image) === 0) timers.push(setTimeout(kill, delayMs))
  }
  const { signal, exitCode, stderr } = await running.finished
  for (const timer of timers) clearTimeout(timer)
  registry.onBytes = undefined
  if (signal === 'SIGKILL') return true
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  return false
}

/** What of the layers was not sent yet. */
function leftBytes({ blobRequests }: SlowRegistry, image: TestImage): number {
  const sent = image.layers.map((layer) => {
    const requests = blobRequests.filter(({ digest }) => digest === layer.digest)
    return Math.max(0, ...requests.map((request) => request.start + request.sent))
  })
  return image.layerBytes - sent.reduce((sum, bytes) => sum + bytes, 0)
}

async function whatIsLeft(root: string): Promise<keyof Tally['left']> {
  const entries = await readdir(path.join(root, 'ingest'), { recursive: true })
  if (entries.some((name) => path.basename(name) === 'data')) return 'part'
  return (await readdir(path.join(root, 'layers'))).length > 0 ? 'layers' : 'nothing'
}

async function expectClean(root: string): Promise<void> {
  const checked = await katman(root, 'fsck', '--hash')
  expect(checked.stdout).toMatch(/clean\n$/)
  expect(checked).toMatchObject({ exitCode: 0, stderr: '' })
}

async function expectWhole({ root, image }: Lane): Promise<void> {
  const format = '{{json .RepoDigests}} {{len .RootFS.Layers}}'
  const { stdout } = await katman(root, 'inspect', '--format', format, image.reference)
  expect(stdout).toBe(
    `["${image.reference.replace(':latest', '')}@${image.digest}"] ${image.layers.length}\n`,
  )
  await expectClean(root)
}

function encode(text: string): Uint8Array {
  return Buffer.from(text)
}
