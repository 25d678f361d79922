import { rm } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { openRegistry, type OpenRegistry } from '../src/open-registry.ts'
import type { ObjectStore } from '../src/object-store.ts'
import { cancelMove, moveRegistry, type MoveTarget } from '../src/move/move-registry.ts'
import type { RegistryOptions } from '../src/index.ts'
import { ask, expectImage, push, remove } from './pushes.ts'
import { makeFolder } from './support.ts'

/** A place to move to, and how it is served then. */
export interface OpenedTarget extends MoveTarget, AsyncDisposable {
  readonly options: RegistryOptions
}

export function moveSuite(open: () => Promise<OpenedTarget>): void {
  it('brings everything over while pushes and deletes go on', async () => {
    await withSource(async (folder, source) => {
      await using target = await open()
      for (let at = 0; at < 10; at += 1) await push(source, `before${at}`)
      await remove(source, 'before3')
      const pushed = new Set<string>()
      let isOver = false
      const going = (async () => {
        for (let at = 0; !isOver; at += 1) {
          // Nobody is told yes who then is not there.
          if (await push(source, `during${at}`)) pushed.add(`during${at}`)
          if (at % 4 === 3 && (await remove(source, `during${at - 1}`))) {
            pushed.delete(`during${at - 1}`)
          }
        }
      })()
      const result = await moveRegistry(folder, target)
      isOver = true
      await going
      expect(result.objects).toBeGreaterThanOrEqual(10)
      expect(pushed.size).toBeGreaterThan(0)

      expect(await push(source, 'after')).toBe(false)
      await expectImage(source, 'before1')
      await using moved = await openRegistry({ ...target.options, isOpen: true })
      for (const name of [...pushed, 'before1', 'before9']) await expectImage(moved, name)
      expect((await ask(moved, 'GET', '/v2/team/app/manifests/before3')).status).toBe(404)
      expect((await ask(moved, 'GET', '/v2/team/app/manifests/after')).status).toBe(404)
      // New rows get numbers that are free.
      expect(await push(moved, 'here', 'other/app')).toBe(true)
      await moved.check()
    })
  })

  it('leaves the bytes of a blob behind that was found damaged', async () => {
    await withSource(async (folder, source) => {
      await using target = await open()
      for (const tag of ['v1', 'v2']) await push(source, tag)
      // Longer than its file: reading it would fail.
      await source.database.run(
        `UPDATE blobs SET state = 'quarantined', size = size + 1
         WHERE object_key IS NOT NULL AND digest IN (SELECT b.digest FROM manifest_blobs b
           JOIN tags t ON t.digest = b.manifest WHERE t.name = 'v1')`,
      )
      await moveRegistry(folder, target)
      await using moved = await openRegistry({ ...target.options, isOpen: true })
      await expectImage(moved, 'v2')
      expect(await push(moved, 'v1')).toBe(true)
      await expectImage(moved, 'v1')
    })
  })

  it('goes on after it was interrupted, and copies nothing twice', async () => {
    await withSource(async (folder, source) => {
      await using target = await open()
      for (let at = 0; at < 8; at += 1) await push(source, `v${at}`)
      const broken = { ...target, objects: failingAfter(target.objects, 3) }
      await expect(moveRegistry(folder, broken)).rejects.toThrow('no more room')
      expect(await push(source, 'meanwhile')).toBe(true)
      await expect(openRegistry({ ...target.options, isOpen: true })).rejects.toMatchObject({
        code: 'DATABASE_MOVING',
      })
      const { objects } = await moveRegistry(folder, target)
      expect(objects).toBeLessThanOrEqual(6)
      await using moved = await openRegistry({ ...target.options, isOpen: true })
      for (const name of ['v0', 'v7', 'meanwhile']) await expectImage(moved, name)
      await expect(moveRegistry(folder, target)).rejects.toMatchObject({
        code: 'MOVE_SOURCE_INVALID',
      })
    })
  })

  it('notices when the other side is not the same, and changes nothing here', async () => {
    await withSource(async (folder, source) => {
      await using target = await open()
      await push(source, 'v1')
      let stray: Promise<unknown> | undefined
      const report = (line: string) => {
        if (!line.includes('rows of')) return
        stray = target.database.run("INSERT INTO settings (key, value) VALUES ('stray', '')")
      }
      await expect(moveRegistry(folder, target, { report })).rejects.toMatchObject({
        code: 'MOVE_FAILED',
        message: expect.stringContaining('settings'),
      })
      await stray
      expect(await push(source, 'v2')).toBe(true)
    })
  })

  it('moves nothing into a database that is in use', async () => {
    await withSource(async (folder, source) => {
      await using target = await open()
      await push(source, 'v1')
      {
        await using other = await openRegistry({ ...target.options, isOpen: true })
        await push(other, 'v1')
      }
      await expect(moveRegistry(folder, target)).rejects.toMatchObject({
        code: 'MOVE_TARGET_NOT_EMPTY',
      })
    })
  })

  it('can be taken back: the folder changes again', async () => {
    await withSource(async (folder, source) => {
      await using target = await open()
      await push(source, 'v1')
      await moveRegistry(folder, target)
      expect(await push(source, 'v2')).toBe(false)
      await cancelMove(folder)
      expect(await push(source, 'v2')).toBe(true)
      await expectImage(source, 'v2')
    })
  })
}

async function withSource(
  work: (folder: string, source: OpenRegistry) => Promise<void>,
): Promise<void> {
  const folder = await makeFolder()
  try {
    await using source = await openRegistry({ folder, isOpen: true })
    await work(folder, source)
  } finally {
    await rm(folder, { recursive: true })
  }
}

function failingAfter(objects: ObjectStore, count: number): ObjectStore {
  let left = count
  return {
    ...objects,
    finish(upload) {
      left -= 1
      return left < 0 ? Promise.reject(new Error('no more room')) : objects.finish(upload)
    },
  }
}
