import { randomUUID } from 'node:crypto'
import path from 'node:path'
import { type Files, unless } from './files.ts'

/**
 * Writes a file in one step: beside it in `temporary`, flushed, then renamed over the name, and the folder
 * flushed. A crash leaves the old file or the new one.
 */
export async function replaceFile(
  files: Files,
  target: string,
  bytes: Uint8Array,
  temporary: string,
): Promise<void> {
  const file = path.join(temporary, randomUUID())
  try {
    await writeNewFile(files, file, bytes)
    files.rename(file, target)
  } catch (error) {
    quietly(() => files.unlink(file))
    throw error
  }
  await syncFolder(files, path.dirname(target))
}

/** Writes a new file and waits until the device has it. */
export async function writeNewFile(files: Files, file: string, bytes: Uint8Array): Promise<void> {
  const handle = files.open(file, 'create')
  try {
    await files.write(handle, [bytes], 0)
    await files.fsync(handle)
  } catch (error) {
    quietly(() => files.close(handle))
    throw error
  }
  files.close(handle)
}

/** Waits until the device knows the names in a folder. */
export async function syncFolder(files: Files, folder: string): Promise<void> {
  const handle = files.open(folder, 'read')
  try {
    await files.fsync(handle)
  } finally {
    files.close(handle)
  }
}

/** Removes a file, or a folder with what is in it. Nothing there is fine. */
export function removeTree(files: Files, target: string): void {
  const facts = files.stat(target)
  if (facts === undefined) return
  if (facts.kind !== 'folder') {
    unless(['ENOENT'], () => files.unlink(target))
    return
  }
  unless(['ENOENT'], () => {
    for (const name of files.list(target)) removeTree(files, path.join(target, name))
    files.rmdir(target)
  })
}

/** Makes a folder; one that is there is fine. */
export function ensureFolder(files: Files, folder: string): void {
  unless(['EEXIST'], () => files.mkdir(folder))
}

/** For cleaning up while another error is on its way. */
export function quietly(call: () => void): void {
  try {
    call()
  } catch {
    // The error that matters is thrown by the caller; what is left behind is reaped by a collection.
  }
}
