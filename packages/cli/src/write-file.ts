import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { finished } from 'node:stream/promises'
import type { Bytes } from '@katman/oci'

/** Writes a file for its owner alone. It appears under its name when it is whole. */
export async function writeFileWhole(bytes: Bytes, file: string): Promise<void> {
  const partial = `${path.resolve(file)}.${randomUUID()}`
  const stream = createWriteStream(partial, { mode: 0o600, flags: 'wx', flush: true })
  try {
    for await (const chunk of bytes) if (!stream.write(chunk)) await once(stream, 'drain')
    stream.end()
    await finished(stream)
    await rename(partial, file)
  } catch (error) {
    stream.destroy()
    await rm(partial, { force: true })
    throw error
  }
}
