import { randomUUID } from 'node:crypto'
import { lstatSync, statSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import type { Bytes } from '@katman/oci'
import { CommandFailure } from './failure.ts'
import type { Output } from './output.ts'

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
    throw writeFailure(file, error)
  }
}

/** A full disk in docker's words. */
function writeFailure(file: string, error: unknown): unknown {
  const { code, errno } = Object(error) as { readonly code?: unknown; readonly errno?: unknown }
  const reason =
    code === 'ENOSPC'
      ? 'no space left on device'
      : // Node has no name for EDQUOT, only its number.
        code === 'EDQUOT' || errno === -122
        ? 'disk quota exceeded'
        : undefined
  if (reason === undefined) return error
  return new CommandFailure(`write ${file}: ${reason}`, { cause: error })
}

/** Refuses a file that cannot be written, before there is anything to write, in docker's words. */
export function checkOutput(output: string, verb: 'save' | 'export'): void {
  const folder = path.dirname(path.resolve(output))
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) {
    throw new CommandFailure(
      `failed to ${verb} image: invalid output path: stat ${folder}: no such file or directory`,
    )
  }
  if (statSync(output, { throwIfNoEntry: false })?.isDirectory() === true) {
    throw new CommandFailure(`failed to ${verb} image: cannot write to a directory`)
  }
}

/** Writes to standard output, as fast as it is read. */
export async function writeOutput(bytes: Bytes, stdout: Output): Promise<void> {
  for await (const chunk of bytes) {
    stdout.write(chunk)
    await stdout.drained?.()
  }
}
