import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'
import { objectStoreSuite } from '../../test/object-store-suite.ts'
import { openFolderObjects } from './folder-objects.ts'
import { openMemoryObjects } from './memory-objects.ts'

objectStoreSuite('memory', async () => ({
  store: openMemoryObjects(),
  async [Symbol.asyncDispose]() {},
}))

objectStoreSuite('a folder', async () => {
  const root = await mkdtemp(path.join(tmpdir(), 'katman-objects-'))
  return {
    store: await openFolderObjects(root),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true }),
  }
})

it('a folder takes an old file for a young object when it adopts it', async () => {
  const root = await mkdtemp(path.join(tmpdir(), 'katman-objects-'))
  try {
    const store = await openFolderObjects(root)
    const file = path.join(root, 'old')
    await writeFile(file, 'old')
    await utimes(file, 1000, 1000)
    await store.adopt?.('abc', file)
    const [object] = await Array.fromAsync(store.list())
    expect(object?.modifiedAt).toBeGreaterThan(1_000_000)
  } finally {
    await rm(root, { recursive: true })
  }
})
