import { constants, copyFile, link, rename } from 'node:fs/promises'
import { syncFile } from '../durable-file.ts'

/** Not the same file system, too many names, or a file system without them. */
const cannotLink = new Set([
  'EXDEV',
  'EMLINK',
  'EPERM',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EACCES',
])

/** Gives a file a second name, or copies it by way of `temporary`. Its bytes are on the disk afterwards; the folder is the caller's. */
export async function adoptFile(file: string, target: string, temporary: string): Promise<void> {
  try {
    await syncFile(file)
    await link(file, target)
    return
  } catch (error) {
    if (!cannotLink.has((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
  await copyFile(file, temporary, constants.COPYFILE_FICLONE)
  await syncFile(temporary)
  await rename(temporary, target)
}
