import path from 'node:path'
import type { Database } from './database/database.ts'
import { openDatabase } from './database/open-database.ts'
import { makeFolder } from './durable-file.ts'
import type { ObjectStore } from './object-store.ts'
import { openFolderObjects } from './objects/folder-objects.ts'
import { openMemoryObjects } from './objects/memory-objects.ts'
import type { RegistryOptions } from './registry-options.ts'

type Places = Pick<RegistryOptions, 'database' | 'folder' | 'storage'>

/** The database of a registry: the one it names, else a file in its folder, else memory. Not brought up to date yet. */
export async function openRegistryDatabase({ database, folder }: Places): Promise<Database> {
  if (database !== undefined) return openDatabase(database)
  if (folder === undefined) return openDatabase('sqlite::memory:')
  await makeFolder(folder)
  return openDatabase(`sqlite:${path.join(path.resolve(folder), 'registry.db')}`)
}

/** The blobs of a registry: the bucket it names, else files in its folder, else memory. */
export async function openRegistryObjects({ folder, storage }: Places): Promise<ObjectStore> {
  if (storage !== undefined) {
    const { openS3Objects } = await import('./objects/s3-objects.ts')
    return openS3Objects(storage)
  }
  return folder === undefined
    ? openMemoryObjects()
    : openFolderObjects(path.join(folder, 'objects'))
}
