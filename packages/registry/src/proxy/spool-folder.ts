import { readdir, rm } from 'node:fs/promises'
import path from 'node:path'

/** Removes what processes left that ended in the middle of a fetch: each has a folder of its own, named by its id. */
export async function emptySpool(folder: string): Promise<void> {
  const names = await readdir(folder).catch((): string[] => [])
  for (const name of names) {
    if (!/^\d{1,10}$/.test(name) || isAlive(Number(name))) continue
    await rm(path.join(folder, name), { recursive: true, force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // It is there, and another user's.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
