import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { type Bytes, type Descriptor, digestAlgorithm, digestHex, KatmanError } from '@katman/oci'
import type { Opener, OpenOptions, WriteOptions } from './place.ts'
import { verified } from './verify.ts'

const chunkBytes = 1024 * 1024

/** True when a regular file of the right size stands where the blob belongs. */
export async function hasBlob(folder: string, descriptor: Descriptor): Promise<boolean> {
  const stat = await lstat(blobPath(folder, descriptor)).catch(() => undefined)
  return stat?.isFile() === true && stat.size === descriptor.size
}

/** Opens a blob of a layout; the file is opened at the first read. Throws `BLOB_UNKNOWN`, `LAYOUT_INVALID`. */
export async function openBlob(
  folder: string,
  descriptor: Descriptor,
  options: OpenOptions,
): Promise<Bytes> {
  const file = blobPath(folder, descriptor)
  const stat = await lstat(file).catch(() => undefined)
  if (stat === undefined) {
    throw new KatmanError(
      'BLOB_UNKNOWN',
      `OCI layout ${folder}: no content for ${descriptor.digest}`,
      { details: { digest: descriptor.digest, folder } },
    )
  }
  if (!stat.isFile()) throw invalidLayout(folder, `${file} is not a regular file`)
  return readFrom(file, options)
}

/** Writes a blob and makes it visible when it is verified, in place of a damaged one if there is any. */
export async function writeBlob(
  folder: string,
  descriptor: Descriptor,
  source: Opener,
  call: WriteOptions,
): Promise<void> {
  const file = blobPath(folder, descriptor)
  await mkdir(path.dirname(file), { recursive: true })
  const temporary = path.join(folder, 'blobs', `.${randomUUID()}`)
  try {
    const handle = await open(temporary, 'wx', 0o644)
    try {
      let bytes = 0
      for await (const chunk of verified(await source(0), descriptor, `copy to ${file}`)) {
        call.signal?.throwIfAborted()
        await handle.writeFile(chunk)
        bytes += chunk.byteLength
        call.onProgress?.({ state: 'receiving', bytes })
      }
      call.onProgress?.({ state: 'received' })
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, file)
  } finally {
    await rm(temporary, { force: true })
  }
}

/** The error for a folder that is no layout, or whose files no reader should trust. */
export function invalidLayout(folder: string, reason: string, cause?: unknown): KatmanError {
  return new KatmanError('LAYOUT_INVALID', `${folder} is not an OCI image layout: ${reason}`, {
    details: { folder, reason },
    ...(cause === undefined ? {} : { cause }),
  })
}

async function* readFrom(file: string, { start = 0, signal }: OpenOptions): Bytes {
  signal?.throwIfAborted()
  // A link that came since the look is not followed.
  const handle: FileHandle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    for (let position = start; ;) {
      signal?.throwIfAborted()
      const buffer = Buffer.allocUnsafe(chunkBytes)
      const { bytesRead } = await handle.read(buffer, 0, chunkBytes, position)
      if (bytesRead === 0) return
      position += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await handle.close()
  }
}

function blobPath(folder: string, descriptor: Descriptor): string {
  return path.join(
    folder,
    'blobs',
    digestAlgorithm(descriptor.digest),
    digestHex(descriptor.digest),
  )
}
