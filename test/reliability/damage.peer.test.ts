import { readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { katman, removeFolder, temporaryFolder } from './program.ts'
import { randomBytesOf, seededRandom } from './random.ts'
import { gzipLayer, type SlowRegistry, startSlowRegistry, type TestImage } from './slow-registry.ts'

// One changed bit in each file of a store: fsck finds it, and --repair heals it from the registry it came from.

const seed = Number(process.env['KATMAN_TEST_SEED'] ?? Date.now() % 1_000_000)
const random = seededRandom(seed)
let folder: string
let root: string
let registry: SlowRegistry
let image: TestImage

beforeAll(async () => {
  console.log(`seed ${seed}`)
  folder = await temporaryFolder()
  root = path.join(folder, 'store')
  registry = await startSlowRegistry()
  const layer = (name: string, size: number): Uint8Array =>
    gzipLayer({ [`data/${name}`]: randomBytesOf(random, size) })
  image = await registry.addImage('damaged', [layer('one', 300_000), layer('two', 1000)])
  expect(await katman(root, 'pull', '-q', image.reference)).toMatchObject({ exitCode: 0 })
})
afterAll(async () => {
  await registry[Symbol.asyncDispose]()
  await removeFolder(folder)
})

describe('fsck', () => {
  it('finds a flipped bit in every file, names it, and heals it', async () => {
    const entries = await readdir(root, { recursive: true, withFileTypes: true })
    const files = entries
      .filter((entry) => entry.isFile() && entry.name !== 'reserve')
      .map((entry) => path.join(entry.parentPath, entry.name))
    // A version, two names, an image, four blobs, two layers of three files.
    expect(files.length).toBeGreaterThanOrEqual(14)
    for (const file of files) {
      const name = path.relative(root, file)
      await flipBit(file)
      const found = await katman(root, 'fsck', '--hash')
      expect(found.exitCode, `${name}: ${found.stdout}${found.stderr}`).toBe(2)
      const [folderName = ''] = name.split(path.sep)
      expect(found.stdout, name).toContain(folderName)
      expect(found.stdout, name).toMatch(/1 damaged, 1 left/)
      const healed = await katman(root, 'fsck', '--hash', '--repair')
      expect(healed.exitCode, `${name}: ${healed.stdout}${healed.stderr}`).toBe(1)
      expect(healed.stdout, name).toMatch(/1 repaired\n$/)
      expect((await katman(root, 'fsck', '--hash')).stdout, name).toMatch(/clean\n$/)
    }
    expect((await katman(root, 'images', '--digests')).stdout).toContain(image.digest)
    expect((await katman(root, 'history', image.reference)).exitCode).toBe(0)
  })

  it('says what to do about damage, and a pull of the image may come before it', async () => {
    const [layer] = image.layers
    await flipBit(path.join(root, 'blobs', ...(layer?.digest ?? '').split(':')))
    const found = await katman(root, 'fsck', '--hash')
    expect(found.exitCode).toBe(2)
    expect(found.stdout).toContain('run fsck --repair, or pull the images again')
    expect(await katman(root, 'pull', '-q', image.reference)).toMatchObject({ exitCode: 0 })
    const repaired = await katman(root, 'fsck', '--hash', '--repair')
    expect(repaired.stdout).toMatch(/(1 repaired|clean)\n$/)
    expect((await katman(root, 'fsck', '--hash')).stdout).toMatch(/clean\n$/)
  })
})

async function flipBit(file: string): Promise<void> {
  const bytes = await readFile(file)
  const at = Math.floor(random() * bytes.byteLength)
  bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8))
  await writeFile(file, bytes)
}
