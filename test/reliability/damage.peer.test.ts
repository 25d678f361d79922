import { mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { katman, removeFolder, startKatman, temporaryFolder } from './program.ts'
import { randomBytesOf, seededRandom } from './random.ts'
import { gzipLayer, type SlowRegistry, startSlowRegistry, type TestImage } from './slow-registry.ts'

// Each file of a store with a changed bit, cut, emptied or lost: fsck finds it, and --repair heals it from the
// registry it came from.

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

/** What can happen to a file. */
const damages: Readonly<Record<string, (file: string) => Promise<void>>> = {
  'a flipped bit': async (file) => {
    const bytes = await readFile(file)
    const at = Math.floor(random() * bytes.byteLength)
    bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8))
    await writeFile(file, bytes)
  },
  'a lost end': async (file) => {
    const { size } = await stat(file)
    await truncate(file, Math.floor(random() * (size - 1)) + 1)
  },
  'no content': (file) => truncate(file, 0),
  'a loss': (file) => rm(file),
}

describe('fsck', () => {
  it.each(Object.keys(damages))('finds %s of any file, names it, and heals it', async (name) => {
    const files = await allFiles()
    // A version, two names, an image, four blobs, two layers of three files.
    expect(files.length).toBeGreaterThanOrEqual(14)
    for (const file of files) await damageAndHeal(file, name)
    expect((await katman(root, 'images', '--digests')).stdout).toContain(image.digest)
    expect((await katman(root, 'history', image.reference)).exitCode).toBe(0)
  })

  it('says what to do about damage, and a pull of the image may come before it', async () => {
    const [layer] = image.layers
    await damages['a flipped bit']?.(path.join(root, 'blobs', ...(layer?.digest ?? '').split(':')))
    const found = await katman(root, 'fsck', '--hash')
    expect(found.exitCode).toBe(2)
    expect(found.stdout).toContain('run: katman fsck --hash --repair')
    expect(await katman(root, 'pull', '-q', image.reference)).toMatchObject({ exitCode: 0 })
    const repaired = await katman(root, 'fsck', '--hash', '--repair')
    expect(repaired.stdout).toMatch(/(1 repaired|clean)\n$/)
    expect((await katman(root, 'fsck', '--hash')).stdout).toMatch(/clean\n$/)
  })
})

describe('pull', () => {
  it.each(Object.keys(damages))(
    'fetches a layer again whose blob has %s and whose index is lost',
    async (name) => {
      const [layer] = image.layers
      await rm(path.join(root, 'layers'), { recursive: true })
      await damages[name]?.(path.join(root, 'blobs', ...(layer?.digest ?? '').split(':')))
      expect((await katman(root, 'fsck', '--repair')).stdout).toMatch(/repaired\n$/)
      expect((await katman(root, 'fsck', '--hash')).stdout).toMatch(/clean\n$/)

      await rm(path.join(root, 'layers'), { recursive: true })
      await mkdir(path.join(root, 'layers'))
      await damages[name]?.(path.join(root, 'blobs', ...(layer?.digest ?? '').split(':')))
      expect(await katman(root, 'pull', '-q', image.reference)).toMatchObject({ exitCode: 0 })
      expect((await katman(root, 'fsck', '--hash')).stdout).toMatch(/clean\n$/)
    },
  )

  it.each(
    ['data', 'state', 'lease'].flatMap((file) => Object.keys(damages).map((how) => [how, file])),
  )('goes on after a killed one with %s of its %s', async (how = '', file = '') => {
    const other = path.join(folder, `${how} ${file}`)
    const running = startKatman(other, ['pull', '-q', image.reference])
    let before: number | undefined
    registry.onBytes = (sent) => {
      before ??= sent
      if (sent - before > 150_000) running.child.kill('SIGKILL')
    }
    expect((await running.finished).signal).toBe('SIGKILL')
    registry.onBytes = undefined
    const found = await leftBehind(other, file)
    // Nothing of it was on the disk yet: that is a loss by itself.
    if (found !== undefined) await damages[how]?.(found)
    expect(await katman(other, 'gc')).toMatchObject({ exitCode: 0, stderr: '' })
    expect(await katman(other, 'pull', '-q', image.reference)).toMatchObject({
      exitCode: 0,
      stderr: '',
    })
    expect((await katman(other, 'fsck', '--hash')).stdout).toMatch(/clean\n$/)
  })
})

/** The file of a killed pull: of its largest download, or its lease. */
async function leftBehind(store: string, file: string): Promise<string | undefined> {
  const where = file === 'lease' ? 'leases' : 'ingest'
  const entries = await readdir(path.join(store, where), { recursive: true, withFileTypes: true })
  const found = entries
    .filter((entry) => entry.isFile() && (file === 'lease' || entry.name === file))
    .map((entry) => path.join(entry.parentPath, entry.name))
  const sizes = await Promise.all(found.map(async (each) => (await stat(each)).size))
  return found[sizes.indexOf(Math.max(...sizes))]
}

async function damageAndHeal(file: string, how: string): Promise<void> {
  const name = path.relative(root, file)
  const [kind = ''] = name.split(path.sep)
  // A lost name is no name, and a folder without a version is made a store again.
  const isNoDamage = how === 'a loss' && (kind === 'refs' || kind === 'version')
  // Without content nothing says what the name was.
  const isLost = kind === 'refs' && how !== 'a flipped bit'
  await damages[how]?.(file)
  const found = await katman(root, 'fsck', '--hash')
  const about = `${how} of ${name}: ${found.stdout}${found.stderr}`
  if (!isNoDamage) {
    expect(found.exitCode, about).toBe(2)
    // Which blobs a layer was found in only its folder knows.
    const isOrigin = path.basename(file).startsWith('from.') && how === 'a loss'
    expect(found.stdout, about).toContain(isOrigin ? path.dirname(file) : file)
    expect(found.stdout, about).toMatch(/1 damaged, 1 left/)
    const healed = await katman(root, 'fsck', '--hash', '--repair')
    expect(healed.stdout, `${about}${healed.stderr}`).toMatch(isLost ? /1 left/ : /1 repaired\n$/)
    expect(healed.exitCode, about).toBe(isLost ? 2 : 1)
  }
  expect((await katman(root, 'fsck', '--hash')).stdout, about).toMatch(/clean\n$/)
  if (!isLost) return
  expect(await katman(root, 'pull', '-q', image.reference), about).toMatchObject({ exitCode: 0 })
  expect((await katman(root, 'fsck', '--hash')).stdout, about).toMatch(/clean\n$/)
}

async function allFiles(): Promise<readonly string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && entry.name !== 'reserve')
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter((file) => !file.startsWith(path.join(root, 'quarantine')))
}
