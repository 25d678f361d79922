import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { lstat, readdir, readlink } from 'node:fs/promises'
import path from 'node:path'
import { finished } from 'node:stream/promises'
import { gzipped, tarHeader } from '@katman/layer'
import { type Bytes, type Digest, KatmanError, parseDigest } from '@katman/oci'

/** A folder as one file. */
export interface PackedFolder {
  readonly digest: Digest
  readonly size: number
  /** Digest of the tar archive before compression. */
  readonly contentDigest: Digest
}

/**
 * Writes a folder as tar with gzip into `file`. The same files give the same bytes: names are sorted, owners and times
 * are zero. Every entry's name begins with `title`. Throws `ARTIFACT_FILE_INVALID` for what is no file, folder or link.
 */
export async function packFolder(
  folder: string,
  title: string,
  file: string,
  signal: AbortSignal | undefined,
): Promise<PackedFolder> {
  const content = createHash('sha256')
  const packed = createHash('sha256')
  let size = 0
  const output = createWriteStream(file, { flags: 'wx', mode: 0o600 })
  const written = finished(output)
  written.catch(() => {})
  try {
    for await (const chunk of gzipped(passing(tarOf(folder, title, signal), content))) {
      packed.update(chunk)
      size += chunk.byteLength
      // `written` rejects when the file cannot be written, which no `drain` would follow.
      if (!output.write(chunk)) {
        await Promise.race([once(output, 'drain'), written])
      }
    }
    output.end()
    await written
  } finally {
    output.destroy()
  }
  const digestOf = (hash: typeof content): Digest => parseDigest(`sha256:${hash.digest('hex')}`)
  return { digest: digestOf(packed), size, contentDigest: digestOf(content) }
}

async function* passing(source: Bytes, hash: ReturnType<typeof createHash>): Bytes {
  for await (const chunk of source) {
    hash.update(chunk)
    yield chunk
  }
}

async function* tarOf(folder: string, title: string, signal: AbortSignal | undefined): Bytes {
  yield* entriesOf(folder, title, signal)
  yield Buffer.alloc(2 * blockBytes)
}

const blockBytes = 512

async function* entriesOf(file: string, name: string, signal: AbortSignal | undefined): Bytes {
  signal?.throwIfAborted()
  const stat = await lstat(file)
  const mode = stat.mode & 0o777
  if (stat.isDirectory()) {
    yield tarHeader({ name, type: 'directory', mode }, 0)
    const names = (await readdir(file)).toSorted((a, b) =>
      Buffer.compare(Buffer.from(a), Buffer.from(b)),
    )
    for (const child of names) yield* entriesOf(path.join(file, child), `${name}/${child}`, signal)
  } else if (stat.isSymbolicLink()) {
    yield tarHeader({ name, type: 'symlink', mode: 0o777, linkname: await readlink(file) }, 0)
  } else if (stat.isFile()) {
    yield tarHeader({ name, mode }, stat.size)
    yield* fileBytes(file, stat.size)
    yield Buffer.alloc((blockBytes - (stat.size % blockBytes)) % blockBytes)
  } else {
    throw new KatmanError('ARTIFACT_FILE_INVALID', `${file} is no file, folder or link`, {
      hint: 'devices, pipes and sockets cannot be packed',
      details: { file },
    })
  }
}

async function* fileBytes(file: string, size: number): Bytes {
  let left = size
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 }) as Bytes) {
    left -= chunk.byteLength
    if (left < 0) break
    yield chunk
  }
  if (left === 0) return
  throw new KatmanError('ARTIFACT_FILE_INVALID', `${file} changed while it was read`, {
    hint: 'try again when nothing writes to it',
    details: { file },
  })
}
