import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openStore } from '@katman/store'
import { describePeers } from '../peers/require-peer.ts'
import { katman, removeFolder, temporaryFolder } from './program.ts'
import { randomBytesOf, seededRandom } from './random.ts'
import { gzipLayer, type SlowRegistry, startSlowRegistry, type TestImage } from './slow-registry.ts'
import { type Change, findPoints, type Point, startInjected, twoAtOnce } from './traced.ts'

// Each call by which a command changes files is one where it is killed, and one that fails, in turn. strace
// does it to the real program. Each time the store is a fresh copy.

const seed = Number(process.env['KATMAN_TEST_SEED'] ?? Date.now() % 1_000_000)
const random = seededRandom(seed)
let folder: string
let registry: SlowRegistry
let kept: TestImage
let other: TestImage

const commands: readonly (readonly [string, () => readonly string[]])[] = [
  ['pull', () => ['pull', '-q', other.reference]],
  ['load', () => ['load', '-q', '-i', path.join(folder, 'other.tar')]],
  ['tag', () => ['tag', kept.reference, 'again:2']],
  ['rmi', () => ['rmi', 'going:1']],
  ['gc', () => ['gc', '--min-age', '0s']],
  ['fsck', () => ['fsck', '--hash', '--repair']],
]

/** What a call may fail with. */
const failures: Partial<Readonly<Record<Change, `error=E${string}`>>> = {
  rename: 'error=EDQUOT',
  renameat: 'error=EDQUOT',
  renameat2: 'error=EDQUOT',
  link: 'error=ENOSPC',
  linkat: 'error=ENOSPC',
  mkdir: 'error=ENOSPC',
  mkdirat: 'error=ENOSPC',
  pwrite64: 'error=EDQUOT',
  pwritev: 'error=ENOSPC',
}
const ioFailure = 'error=EIO'

describePeers('at each call that changes a file', ['strace'], () => {
  beforeAll(async () => {
    console.log(`seed ${seed}`)
    folder = await temporaryFolder()
    registry = await startSlowRegistry()
    registry.pauseMs = 0
    const layer = (name: string, size: number): Uint8Array =>
      gzipLayer({ [`data/${name}`]: randomBytesOf(random, size) })
    const shared = layer('shared', 80_000)
    kept = await registry.addImage('kept', [shared, layer('kept', 3000)])
    other = await registry.addImage('other', [shared, layer('other', 200_000), layer('last', 2000)])
    await makeStores()
  })
  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await removeFolder(folder)
  })

  it.each(commands)(
    '%s is killed, and the next command just works',
    async (name, wordsOf) => {
      const all = await pointsOf(name, wordsOf())
      // A kill at a flush leaves what a kill at the next change leaves.
      const changes = all.filter(({ call }) => call !== 'fsync')
      const points = name === 'load' ? sampled(changes) : changes
      await twoAtOnce(points, async (point, index) => {
        await using store = await copyStore(name, index)
        const running = startInjected(store.root, wordsOf(), point, 'signal=KILL')
        const { signal, stdout, stderr } = await running.finished
        const about = `${name}, ${point.call} ${point.count}: ${stdout}${stderr}`
        // Threads share the work differently each time: now and then none makes so many calls.
        if (signal !== 'SIGKILL') return
        if (name !== 'fsck') {
          const checked = await katman(store.root, 'fsck', '--hash')
          expect(checked, about).toMatchObject({ exitCode: 0, stderr: '' })
        }
        await expectGoesOn(name, store.root, wordsOf(), about)
      })
      console.log(`${name}: killed at ${points.length} calls`)
      expect(points.length).toBeGreaterThan(10)
    },
    600_000,
  )

  it.each(commands)(
    '%s fails clearly, and the next command just works',
    async (name, wordsOf) => {
      const points = await pointsOf(name, wordsOf())
      let failed = 0
      await twoAtOnce(points, async (point, index) => {
        await using store = await copyStore(name, index)
        const error = failures[point.call] ?? ioFailure
        const running = startInjected(store.root, wordsOf(), point, error)
        const { signal, exitCode, stdout, stderr } = await running.finished
        const about = `${name}, ${point.call} ${point.count} ${error}: ${stdout}${stderr}`
        expect(signal, about).toBe(null)
        // What could not be cleaned up is no failure. fsck says 1 for repaired.
        if (exitCode !== 0 && stderr !== '') {
          failed++
          expect(exitCode, about).toBe(1)
          expect(stderr, about).toContain(store.root)
          expect(stderr, about).toMatch(error === ioFailure ? /EIO/ : /no space left/)
          expect(stderr, about).toContain('hint: ')
          expect(stderr, about).not.toContain('    at ')
        }
        await expectGoesOn(name, store.root, wordsOf(), about)
      })
      console.log(`${name}: ${points.length} calls failed, ${failed} of them said so`)
      expect(failed).toBeGreaterThan(2)
    },
    600_000,
  )
})

/** One store a command, in the state that gives it most to do. */
async function makeStores(): Promise<void> {
  const ready = path.join(folder, 'ready')
  await done(ready, 'pull', '-q', kept.reference)
  for (const name of ['pull', 'load', 'tag']) await copy(ready, path.join(folder, name))
  await done(ready, 'pull', '-q', other.reference)
  await done(ready, 'save', '-o', path.join(folder, 'other.tar'), other.reference)
  await done(ready, 'tag', other.reference, 'going:1')
  await done(ready, 'rmi', other.reference)
  const forRmi = path.join(folder, 'rmi')
  await copy(ready, forRmi)

  const forGc = path.join(folder, 'gc')
  await copy(ready, forGc)
  // Without its name and its record an image is only what a collection takes away.
  for (const records of ['refs', 'images']) {
    for (const file of await readdir(path.join(forGc, records))) {
      const record = path.join(forGc, records, file)
      if ((await readFile(record, 'utf8')).includes(other.digest)) await rm(record)
    }
  }

  const forFsck = path.join(folder, 'fsck')
  await copy(ready, forFsck)
  const blob = path.join(forFsck, 'blobs/sha256', kept.layers[0]?.digest.slice(7) ?? '')
  await writeFile(blob, (await readFile(blob)).fill(0, 100, 110))
  const [layer = ''] = await readdir(path.join(forFsck, 'layers'))
  await rm(path.join(forFsck, 'layers', layer, 'index'))
  const [reference = ''] = await readdir(path.join(forFsck, 'refs'))
  const record = path.join(forFsck, 'refs', reference)
  await writeFile(record, (await readFile(record)).fill(0, 0, 4))
}

async function pointsOf(name: string, words: readonly string[]): Promise<readonly Point[]> {
  await using store = await copyStore(name, 'dry')
  return await findPoints(store.root, words, `${store.root}.log`)
}

/** Of many points every third: which, the seed says. */
function sampled(points: readonly Point[]): readonly Point[] {
  return points.length < 60 ? points : points.filter((_, index) => index % 3 === seed % 3)
}

/** The store is clean, the same command works now, and what it was not about is there. */
async function expectGoesOn(
  name: string,
  root: string,
  words: readonly string[],
  about: string,
): Promise<void> {
  if (name !== 'fsck') await expectClean(root, about)
  const { exitCode, stdout, stderr } = await katman(root, ...words)
  const isGone = name === 'rmi' && stderr.includes('No such image: going:1')
  const isDone = exitCode === 0 || (name === 'fsck' && exitCode === 1 && stderr === '')
  expect(isDone || isGone, `${about}; then ${exitCode}: ${stdout}${stderr}`).toBe(true)
  await expectClean(root, about)
}

/** Without a process: there are hundreds of points. */
async function expectClean(root: string, about: string): Promise<void> {
  await using store = await openStore({ root })
  expect((await store.check({ level: 'hash' })).problems, about).toEqual([])
  const names = (await store.references()).map((reference) => reference.name)
  expect(names, about).toContain(kept.reference)
}

interface StoreCopy extends AsyncDisposable {
  readonly root: string
}

async function copyStore(name: string, suffix: number | string): Promise<StoreCopy> {
  const root = path.join(folder, `${name}-${suffix}`)
  await copy(path.join(folder, name), root)
  return {
    root,
    async [Symbol.asyncDispose]() {
      await rm(root, { recursive: true })
    },
  }
}

async function copy(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true, preserveTimestamps: true })
}

async function done(root: string, ...words: readonly string[]): Promise<void> {
  expect(await katman(root, ...words)).toMatchObject({ exitCode: 0 })
}
