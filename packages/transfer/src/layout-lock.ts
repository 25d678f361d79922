import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { KatmanError } from '@katman/oci'

const pollMs = 5
/** A change of `index.json` takes milliseconds; who holds the lock this long is stuck. */
const patienceMs = 30_000

/**
 * Runs a job while no other process runs one on the same layout. Node has no file locks of its own; those of SQLite are
 * the kernel's, end with their process and hold between containers. The file `.katman.lock` stays, because a lock on a
 * removed file would keep nobody out. Throws `LAYOUT_BUSY`.
 */
export async function withLayoutLock<T>(folder: string, job: () => Promise<T>): Promise<T> {
  const { DatabaseSync } = await import('node:sqlite')
  const file = path.join(folder, '.katman.lock')
  const database = new DatabaseSync(file, { timeout: 0 })
  try {
    const start = performance.now()
    while (!tryLock(() => database.exec('BEGIN EXCLUSIVE'))) {
      if (performance.now() - start > patienceMs) throw busy(folder)
      await wait(pollMs)
    }
    return await job()
  } finally {
    // Closing rolls the empty transaction back and gives the lock up.
    database.close()
  }
}

const sqliteBusy = 5

function tryLock(begin: () => void): boolean {
  try {
    begin()
    return true
  } catch (error) {
    if ((error as { errcode?: unknown }).errcode === sqliteBusy) return false
    throw error
  }
}

function busy(folder: string): KatmanError {
  return new KatmanError('LAYOUT_BUSY', `${folder} is being changed by another process`, {
    hint: 'wait for it to end, or end it',
    details: { folder },
  })
}
