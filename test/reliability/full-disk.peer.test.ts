import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describePeers } from '../peers/require-peer.ts'
import { runChecked } from '../peers/terminal.ts'
import { type Finished, katman, removeFolder, temporaryFolder } from './program.ts'
import { randomBytesOf, seededRandom } from './random.ts'
import { gzipLayer, type SlowRegistry, startSlowRegistry, type TestImage } from './slow-registry.ts'

// A real file system that is full, and one that cannot be written: a small tmpfs.

const random = seededRandom(11)
let folder: string
let registry: SlowRegistry
let small: TestImage
let large: TestImage

describePeers('a store on a file system', ['root'], () => {
  beforeAll(async () => {
    folder = await temporaryFolder()
    registry = await startSlowRegistry()
    const layer = (name: string, size: number): Uint8Array =>
      gzipLayer({ [`data/${name}`]: randomBytesOf(random, size) })
    small = await registry.addImage('small', [layer('small', 100_000)])
    large = await registry.addImage('large', [layer('one', 12_000_000), layer('two', 12_000_000)])
  })
  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await removeFolder(folder)
  })

  describe('that is full', () => {
    it('says so once, and keeps working', async () => {
      await using disk = await mountTmpfs('full', 'size=36m')
      const root = path.join(disk.point, 'store')
      expect(await katman(root, 'pull', '-q', small.reference)).toMatchObject({ exitCode: 0 })
      // Room for one of the layers.
      await writeFile(path.join(disk.point, 'filler'), Buffer.alloc(14 * 1024 * 1024))
      const failed = await katman(root, 'pull', '-q', large.reference)
      expectFull(failed, root)
      await expectUsable(root)
      expect(await katman(root, 'gc')).toMatchObject({ exitCode: 0, stderr: '' })
      await rm(path.join(disk.point, 'filler'))
      // The store keeps 16 MiB free: still not enough.
      expectFull(await katman(root, 'pull', '-q', large.reference), root)
      await expectUsable(root)
    })

    it('to the last byte: what is there can be listed, removed and collected', async () => {
      await using disk = await mountTmpfs('last', 'size=40m')
      const root = path.join(disk.point, 'store')
      expect(await katman(root, 'pull', '-q', small.reference)).toMatchObject({ exitCode: 0 })
      await fill(disk.point)
      expectFull(await katman(root, 'pull', '-q', large.reference), root)
      await expectUsable(root)
      const removed = await katman(root, 'rmi', small.reference)
      expect(removed).toMatchObject({ exitCode: 0, stderr: '' })
      expect(removed.stdout).toContain('Deleted: ')
      expect((await katman(root, 'images', '-q')).stdout).toBe('')
      expect(await katman(root, 'gc')).toMatchObject({ exitCode: 0, stderr: '' })
    })

    it('of names: no inode is left', async () => {
      await using disk = await mountTmpfs('inodes', 'size=64m,nr_inodes=100')
      const root = path.join(disk.point, 'store')
      expect(await katman(root, 'pull', '-q', small.reference)).toMatchObject({ exitCode: 0 })
      for (let count = 0; ; count++) {
        const made = await writeFile(path.join(disk.point, `n${count}`), '').then(
          () => true,
          () => false,
        )
        if (!made) break
      }
      expectFull(await katman(root, 'pull', '-q', large.reference), root)
      for (const name of await readdir(disk.point)) {
        if (name.startsWith('n')) await rm(path.join(disk.point, name))
      }
      await expectUsable(root)
    })

    it('is forgotten once there is room', async () => {
      await using disk = await mountTmpfs('room', 'size=64m')
      const root = path.join(disk.point, 'store')
      await writeFile(path.join(disk.point, 'filler'), Buffer.alloc(40 * 1024 * 1024))
      expectFull(await katman(root, 'pull', '-q', large.reference), root)
      await rm(path.join(disk.point, 'filler'))
      const pulled = await katman(root, 'pull', '-q', large.reference)
      expect(pulled).toMatchObject({ exitCode: 0, stderr: '' })
      expect((await katman(root, 'fsck', '--hash')).stdout).toMatch(/clean\n$/)
    })
  })

  it('that is read-only can be read, and says so when it is to be written', async () => {
    await using disk = await mountTmpfs('read-only', 'size=32m')
    const root = path.join(disk.point, 'store')
    expect(await katman(root, 'pull', '-q', small.reference)).toMatchObject({ exitCode: 0 })
    await runChecked('mount', ['-o', 'remount,ro', disk.point])
    expect((await katman(root, 'images', '-q')).stdout).toMatch(/^[0-9a-f]{12}\n$/)
    const failed = await katman(root, 'rmi', small.reference)
    expect(failed.exitCode).toBe(1)
    expect(failed.stderr).toMatch(/read-only/)
    expect(failed.stderr).not.toContain('    at ')
  })
})

/** One clear error that names the store and says what to do. */
function expectFull({ exitCode, stdout, stderr }: Finished, root: string): void {
  expect(exitCode, stdout + stderr).toBe(1)
  expect(stderr).toMatch(/space|inodes|full/i)
  expect(stderr).toContain(root)
  expect(stderr).toContain('hint: ')
  expect(stderr).not.toContain('    at ')
}

async function expectUsable(root: string): Promise<void> {
  const listed = await katman(root, 'images', '--format', '{{.Repository}}:{{.Tag}}')
  expect(listed).toMatchObject({ exitCode: 0, stderr: '', stdout: `${small.reference}\n` })
  expect((await katman(root, 'fsck', '--hash')).stdout).toMatch(/clean\n$/)
}

async function fill(point: string): Promise<void> {
  await runChecked('/bin/sh', [
    '-c',
    `dd if=/dev/zero of='${point}/filler' bs=64k 2>/dev/null; dd if=/dev/zero bs=1k >>'${point}/filler' 2>/dev/null; true`,
  ])
}

interface Disk extends AsyncDisposable {
  readonly point: string
}

async function mountTmpfs(name: string, options: string): Promise<Disk> {
  const point = path.join(folder, name)
  await mkdir(point)
  await runChecked('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', point])
  return {
    point,
    async [Symbol.asyncDispose]() {
      await runChecked('umount', ['-l', point])
    },
  }
}
