import { access, constants, mkdir } from 'node:fs/promises'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { KatmanError } from '@katman/oci'

/**
 * Takes a folder for one server, until it is released or the process ends, however it ends: the lock is the kernel's. Makes the folder.
 *
 * @throws KatmanError `REGISTRY_BUSY` when another server has it, `REGISTRY_FOLDER_UNUSABLE` when it cannot be written.
 */
export async function claimFolder(folder: string): Promise<() => void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await access(folder, constants.W_OK | constants.X_OK)
  } catch (cause) {
    throw unusable(folder, cause)
  }
  // SQLite's locks are what Node has of kernel locks; the file stays empty.
  let lock: DatabaseSync
  try {
    lock = new DatabaseSync(path.join(folder, 'serve.lock'), { timeout: 0 })
  } catch (cause) {
    throw unusable(folder, cause)
  }
  try {
    lock.exec('BEGIN EXCLUSIVE')
  } catch (cause) {
    lock.close()
    const isTaken = cause instanceof Error && 'errcode' in cause && cause.errcode === 5
    if (!isTaken) throw unusable(folder, cause)
    throw new KatmanError('REGISTRY_BUSY', `another server serves ${folder}`, {
      cause,
      hint: 'stop it, or give this one a folder of its own: --data FOLDER',
    })
  }
  return () => {
    lock.close()
  }
}

function unusable(folder: string, cause: unknown): KatmanError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new KatmanError('REGISTRY_FOLDER_UNUSABLE', `cannot write in ${folder}: ${reason}`, {
    cause,
    hint: 'give a folder that this user may write: --data FOLDER',
  })
}
