import { constants, copyFile, link, open, rename } from 'node:fs/promises'

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
    await sync(file)
    await link(file, target)
    return
  } catch (error) {
    if (!cannotLink.has((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
  await copyFile(file, temporary, constants.COPYFILE_FICLONE)
  await sync(temporary)
  await rename(temporary, target)
}

async function sync(file: string): Promise<void> {
  const handle = await open(file, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
