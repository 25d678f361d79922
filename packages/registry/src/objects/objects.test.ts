import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
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
