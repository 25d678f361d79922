import { randomUUID } from 'node:crypto'
import { lstatSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import type { Bytes } from '@katman/oci'
import { CommandFailure } from './failure.ts'

/**
 * Writes a file for its owner alone. It appears under its name when it is whole. Devices, pipes and links are refused:
 * the new file would take their place.
 */
export async function writeFileWhole(bytes: Bytes, file: string): Promise<void> {
  const there = lstatSync(file, { throwIfNoEntry: false })
  if (there !== undefined && !there.isFile()) {
    throw new CommandFailure(`${file} is not a regular file: choose another name, or redirect`)
  }
  const partial = `${path.resolve(file)}.${randomUUID()}`
  const handle = await open(partial, 'wx', 0o600)
  try {
    try {
      for await (const chunk of bytes) await handle.writeFile(chunk)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(partial, file)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}
