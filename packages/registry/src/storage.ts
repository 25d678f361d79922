import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { KatmanError } from '@katman/oci'
import type { Database } from './database/database.ts'
import { migrate } from './database/migrate.ts'
import { openSqlite } from './database/sqlite.ts'
import { ifThere, makeFolder, writeDurably } from './durable-file.ts'
import type { ObjectStore } from './object-store.ts'
import { openFolderObjects } from './objects/folder-objects.ts'
import { openMemoryObjects } from './objects/memory-objects.ts'

/** Where a registry keeps what it holds: who has what in a database, the bytes of blobs as objects. */
export interface RegistryStorage extends AsyncDisposable {
  readonly database: Database
  readonly objects: ObjectStore
  close(): Promise<void>
}

/** Keeps everything in this process: for tests and demonstrations. */
export async function openMemoryStorage(): Promise<RegistryStorage> {
  return storageOf(await openSqlite(':memory:'), openMemoryObjects())
}

const version = 'katman registry folder 2\n'

/**
 * Keeps everything in a folder, made when it is not there: `registry.db` and `objects/`. What a client was told is stored
 * survives a power cut. Several processes of one machine may have it open. Throws `STORAGE_INVALID` for a folder that holds
 * something else.
 */
export async function openFolderStorage(root: string): Promise<RegistryStorage> {
  await makeFolder(root)
  await claim(root)
  const objects = await openFolderObjects(path.join(root, 'objects'))
  return storageOf(await openSqlite(path.join(root, 'registry.db')), objects)
}

async function storageOf(database: Database, objects: ObjectStore): Promise<RegistryStorage> {
  try {
    await migrate(database)
  } catch (error) {
    await database.close()
    throw error
  }
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => (closing ??= database.close())
  return { database, objects, close, [Symbol.asyncDispose]: close }
}

async function claim(root: string): Promise<void> {
  const file = path.join(root, 'version')
  const found = await ifThere(readFile(file, 'utf8'))
  if (found === undefined) await writeDurably(file, version, root)
  else if (found !== version) {
    throw new KatmanError(
      'STORAGE_INVALID',
      `${root} was made by another version of the registry`,
      {
        hint: 'choose another folder',
        details: { root, version: found.slice(0, 100) },
      },
    )
  }
}
