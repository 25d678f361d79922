import { createHash, randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import {
  access,
  type FileHandle,
  open,
  readdir,
  readFile as readText,
  rename,
  rm,
  stat,
} from 'node:fs/promises'
import path from 'node:path'
import { type Bytes, KatmanError } from '@katman/oci'
import { ifThere, makeFolder, syncFile, syncFolder } from '../durable-file.ts'
import type { ByteRange, ObjectStore, ObjectUpload, StoredObject } from '../object-store.ts'
import { adoptFile } from './adopt-file.ts'
import { readFile } from './read-file.ts'
import { sendableFile } from './send-file.ts'
import { createChunkPool } from './chunk-pool.ts'
import { FileWriter } from './file-writer.ts'

/** Where the objects are that are not finished. */
const incoming = 'incoming'

/**
 * Objects as files of a folder, made when it is not there. A file gets its final name when it is whole and flushed. Several
 * processes may share the folder.
 */
export async function openFolderObjects(root: string): Promise<ObjectStore> {
  await makeFolder(path.join(root, incoming))
  const pool = createChunkPool()
  const boot = await bootId()
  const unfinished = (key: string): string => path.join(root, incoming, checkKey(key))
  const finished = (key: string): string => path.join(root, fanOut(checkKey(key)), key)

  return {
    // A file keeps what it has when its process ends, so going on costs one small write.
    checkpointMs: 1000,
    async begin(key) {
      const handle = await open(unfinished(key), 'wx', 0o644)
      await handle.close()
      return { key, size: 0, detail: { boot } }
    },
    // What is not flushed is there as long as the machine runs.
    mayHaveLost: ({ detail }) => detail['boot'] !== boot,
    async append(upload, bytes) {
      const handle = await ifThere(open(unfinished(upload.key), 'r+'))
      if (handle === undefined) throw lost(upload)
      try {
        // Less than was written down: the machine was switched off meanwhile.
        if ((await handle.stat()).size < upload.size) throw lost(upload)
        const writer = new FileWriter(handle, upload.size, pool)
        let failure: unknown
        try {
          for await (const chunk of bytes) await writer.write(chunk)
        } catch (error) {
          failure = error
        }
        try {
          await writer.end()
        } catch (error) {
          failure ??= error
        }
        const advanced = { ...upload, size: writer.size }
        return failure === undefined ? { upload: advanced } : { upload: advanced, failure }
      } finally {
        await handle.close()
      }
    },
    async adopt(key, file) {
      const target = finished(key)
      await makeFolder(path.dirname(target))
      await adoptFile(file, target, unfinished(key))
      await syncFolder(path.dirname(target))
    },
    async *readUpload({ key, size }) {
      const isFinished = (await ifThere(stat(unfinished(key)))) === undefined
      yield* readFile(isFinished ? finished(key) : unfinished(key), { start: 0, end: size })
    },
    async finish(upload) {
      const [source, target] = [unfinished(upload.key), finished(upload.key)]
      const handle = await ifThere(open(source, 'r+'))
      if (handle === undefined) {
        // Finished by an earlier try, whose caller did not live to hear of it.
        if ((await ifThere(stat(target)))?.size !== upload.size) throw lost(upload)
        await syncFile(target)
        await syncFolder(path.dirname(target))
        return
      }
      try {
        await settle(handle, upload)
      } finally {
        await handle.close()
      }
      await makeFolder(path.dirname(target))
      await rename(source, target)
      await syncFolder(path.dirname(target))
    },
    async abort({ key }) {
      await rm(unfinished(key), { force: true })
      await rm(finished(key), { force: true })
    },
    open: (key, range: ByteRange): Bytes => sendableFile(finished(key), range, pool),
    async delete(keys) {
      for (const key of keys) await rm(finished(key), { force: true })
    },
    list: () => listObjects(root),
    listUnfinished: () => listFolder(path.join(root, incoming)),
    async check() {
      try {
        await access(path.join(root, incoming), constants.R_OK | constants.W_OK | constants.X_OK)
      } catch (cause) {
        throw new KatmanError('STORAGE_UNAVAILABLE', 'the folder of the blobs cannot be written', {
          cause,
          hint: 'check that its disk is there, and its rights',
        })
      }
    },
  }
}

/** Names the time since the machine was switched on; where that has no name, since the store was opened. */
async function bootId(): Promise<string> {
  const known = await readText('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => undefined)
  return known?.trim() ?? randomUUID()
}

/** Cuts off what a write that failed left behind the end, and waits for the disk. */
async function settle(handle: FileHandle, upload: ObjectUpload): Promise<void> {
  const { size } = await handle.stat()
  if (size < upload.size) throw lost(upload)
  if (size > upload.size) await handle.truncate(upload.size)
  await handle.sync()
}

async function* listObjects(root: string): AsyncIterable<StoredObject> {
  for (const folder of (await readdir(root)).toSorted())
    if (/^[0-9a-f]{2}$/.test(folder)) yield* listFolder(path.join(root, folder))
}

async function* listFolder(folder: string): AsyncIterable<StoredObject> {
  for (const key of (await readdir(folder)).toSorted()) {
    const found = await ifThere(stat(path.join(folder, key)))
    if (!found?.isFile()) continue
    // An imported file may be old; its name here is not.
    const modifiedAt = Math.round(Math.max(found.mtimeMs, found.ctimeMs))
    yield { key, size: found.size, modifiedAt }
  }
}

/** Keys may share their first letters, so their hash says where they are. */
function fanOut(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 2)
}

function checkKey(key: string): string {
  if (/^[0-9a-f-]{1,100}$/.test(key)) return key
  throw new TypeError(`no key of an object: ${JSON.stringify(key.slice(0, 100))}`)
}

function lost({ key }: ObjectUpload): KatmanError {
  return new KatmanError('OBJECT_LOST', `bytes of the upload ${key} are missing in the folder`, {
    hint: 'push it again, and check the disk if the machine was not switched off meanwhile',
  })
}
