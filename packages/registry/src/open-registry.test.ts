import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { openRegistry } from './open-registry.ts'

const request = {
  method: 'GET',
  path: '/v2/',
  query: new URLSearchParams(),
  header: () => undefined,
  body: (async function* nothing(): AsyncGenerator<Uint8Array> {})(),
}

describe('openRegistry', () => {
  it('answers from memory when no folder is given', async () => {
    await using registry = await openRegistry({ isOpen: true })
    expect(await registry.handle(request)).toMatchObject({ status: 200 })
    await registry.check()
  })

  it('is closed once, however often it is told to', async () => {
    await using registry = await openRegistry({ isOpen: true })
    await Promise.all([registry.close(), registry.close()])
    await registry.close()
  })

  it('is not ready any more when the disk did not take a change', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'katman-open-registry-'))
    await using handle = await open(import.meta.filename)
    const sync = vi.spyOn(Object.getPrototypeOf(handle), 'datasync')
    try {
      const observed = { onTransaction: () => undefined }
      await using registry = await openRegistry({ folder, isOpen: true }, observed)
      await registry.check()
      sync.mockRejectedValueOnce(new Error('EIO: i/o error, fdatasync'))
      const change = registry.database.run("INSERT INTO settings (key, value) VALUES ('a', '')")
      await expect(change).rejects.toMatchObject({ code: 'DATABASE_FAILED' })
      await expect(registry.check()).rejects.toMatchObject({ code: 'DATABASE_FAILED' })
    } finally {
      sync.mockRestore()
      await rm(folder, { recursive: true })
    }
  })

  it('makes its folder, twice the same', async () => {
    const root = await mkdtemp(path.join(tmpdir(), 'katman-open-registry-'))
    try {
      const folder = path.join(root, 'deep', 'registry')
      for (const _ of [1, 2]) {
        await using registry = await openRegistry({ folder, isOpen: true })
        await registry.start()
        expect(await registry.handle(request)).toMatchObject({ status: 200 })
      }
    } finally {
      await rm(root, { recursive: true })
    }
  })
})
