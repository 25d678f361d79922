import { rm } from 'node:fs/promises'
import path from 'node:path'
import { migrate } from '../../src/database/migrate.ts'
import type { Database } from '../../src/database/database.ts'
import { openFolderObjects } from '../../src/objects/folder-objects.ts'
import { createContext } from '../../src/distribution/context.ts'
import type { Content } from '../../src/proxy/content.ts'
import { createContent } from '../../src/proxy/content-in-database.ts'
import { type OpenDatabase, openMemoryDatabase } from '../databases.ts'
import { makeFolder } from '../support.ts'

export interface TestContent extends AsyncDisposable {
  readonly content: Content
  readonly database: Database
  readonly folder: string
}

/** What a registry holds, nothing at first: a database in memory and objects in a folder. */
export async function openTestContent(
  open: OpenDatabase = openMemoryDatabase,
): Promise<TestContent> {
  const folder = await makeFolder()
  const database = await open()
  await migrate(database)
  const objects = await openFolderObjects(path.join(folder, 'objects'))
  const content = createContent(createContext({ database, objects }), { how: 'upload' })
  return {
    content,
    database,
    folder,
    async [Symbol.asyncDispose]() {
      await database.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
