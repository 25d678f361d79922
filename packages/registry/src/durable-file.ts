import { randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises'
import path from 'node:path'

/** Writes a file so that its name shows the whole content or nothing, also after a power cut. */
export async function writeDurably(
  target: string,
  content: Uint8Array | string,
  temporary: string,
): Promise<void> {
  const file = path.join(temporary, randomUUID())
  try {
    const handle = await open(file, 'wx', 0o644)
    try {
      await handle.writeFile(content)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await publish(file, target)
  } catch (error) {
    await rm(file, { force: true })
    throw error
  }
}

/** Gives a flushed file its final name. */
async function publish(file: string, target: string): Promise<void> {
  const folder = path.dirname(target)
  await makeFolder(folder)
  await rename(file, target)
  await syncFolder(folder)
}

/** Makes a folder, and the names of all that were missing above it durable. */
export async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true })
  if (first === undefined) return
  for (let made = folder; made.length >= first.length; made = path.dirname(made)) {
    await syncFolder(path.dirname(made))
  }
}

/** Makes the bytes of a file durable. */
export async function syncFile(file: string): Promise<void> {
  const handle = await open(file, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes the names in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  let handle: FileHandle
  try {
    handle = await open(folder, 'r')
  } catch (error) {
    // Windows does not open folders.
    if (hasCode(error, 'EISDIR', 'EPERM')) return
    throw error
  }
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** What `read` gives, undefined when the file is not there. */
export async function ifThere<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}
