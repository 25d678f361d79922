import { readdir, rm, stat } from 'node:fs/promises'
import path from 'node:path'

/** Removes the files of processes that ended in the middle of a fetch: nobody wrote to them since `before`. */
export async function emptySpool(folder: string, before: number): Promise<void> {
  const names = await readdir(folder).catch((): string[] => [])
  for (const name of names) {
    const file = path.join(folder, name)
    const found = await stat(file).catch(() => undefined)
    if (found !== undefined && found.mtimeMs < before) await rm(file, { force: true })
  }
}
