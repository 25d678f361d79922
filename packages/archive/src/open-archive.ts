import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Bytes, type Digest, isDigest, isKatmanError, KatmanError } from '@katman/oci'
import { type Compression, detectCompression, magicBytes } from '@katman/layer'
import type { CallOptions } from '@katman/transfer'
import { archiveInvalid } from './archive-error.ts'
import type { ArchiveImage, ArchivePlace } from './archive-place.ts'
import { readDockerArchive } from './docker-archive.ts'
import { openLayoutFolder } from './layout-folder.ts'
import { readOciArchive } from './oci-archive.ts'
import { openPipe } from './open-pipe.ts'
import { type SpoolOptions, unpackedWithin, writeSpool } from './spool.ts'
import { openTarFile, type Piece, type TarFile } from './tar-file.ts'

/** What an archive is: an unpacked OCI layout, one in a tar file, or a tar file with docker's `manifest.json`. */
export type ArchiveKind = 'oci' | 'oci-archive' | 'docker-archive'

/** An image archive as a place to copy from. */
export interface Archive extends ArchivePlace, AsyncDisposable {
  /** First as what it is read; a tar file can be both others at once. */
  readonly kinds: readonly [ArchiveKind, ...ArchiveKind[]]
  /** The path that was opened; undefined for a stream, and for a pipe that has a name. */
  readonly file: string | undefined
}

export interface OpenArchiveOptions extends SpoolOptions {
  /** Where a stream or a compressed archive is unpacked to, because it must be read twice. Default: the system's. */
  readonly temporary?: string
}

/** What the formats say of an archive: its images, and where each content lies. */
export interface ArchiveContent {
  readonly images: readonly ArchiveImage[]
  readonly find: (digest: Digest) => Piece | Uint8Array | undefined
}

/**
 * Opens an archive: a file or pipe, bytes as they come, or the folder of an OCI layout. Plain, gzip, bzip2, xz or zstd. What has
 * an `oci-layout` is read as an OCI layout, else as a docker archive (`manifest.json`). Nothing is trusted: digests and
 * sizes are checked by who copies. Throws `ARCHIVE_INVALID`, `ARCHIVE_UNKNOWN` when there is no such file,
 * `LAYOUT_INVALID`, `COMPRESSION_UNSUPPORTED`, `LAYER_TOO_LARGE`, `SPOOL_FULL`.
 */
export async function openArchive(
  from: string | Bytes,
  options: OpenArchiveOptions = {},
): Promise<Archive> {
  const kind = typeof from === 'string' ? await kindOf(from) : 'stream'
  if (typeof from === 'string' && kind === 'folder') {
    const folder = await openLayoutFolder(from)
    return { ...folder, file: from, kinds: ['oci'], async [Symbol.asyncDispose]() {} }
  }
  const name = typeof from === 'string' ? from : 'standard input'
  const spool = path.join(options.temporary ?? tmpdir(), `katman-archive-${randomUUID()}`)
  const isPlain =
    typeof from === 'string' && kind === 'file' && (await compressionOf(from)) === 'none'
  const file = isPlain ? from : spool
  const close = async (): Promise<void> => {
    if (!isPlain) await rm(spool, { force: true })
  }
  try {
    if (!isPlain) await unpack(from, spool, name, options)
    const tar = await openTarFile(file, name, options)
    const kinds = kindsOf(tar)
    const content = await readContent(tar, kinds[0], options)
    const opened = typeof from === 'string' && kind === 'file' ? from : undefined
    return { ...placeOf(tar, content), file: opened, kinds, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

/** A pipe, as of a shell's `<(…)`, and a device can be read once only. */
async function kindOf(file: string): Promise<'folder' | 'file' | 'stream'> {
  const facts = await stat(file).catch(() => undefined)
  if (facts === undefined || facts.isFile()) return 'file'
  return facts.isDirectory() ? 'folder' : 'stream'
}

function placeOf(tar: TarFile, { images, find }: ArchiveContent): ArchivePlace {
  const name = `archive ${tar.name}`
  return {
    name,
    images,
    has: ({ digest }) => find(digest) !== undefined,
    async resolve(reference) {
      const image = images.find(({ descriptor }) => descriptor.digest === reference)
      if (image !== undefined && isDigest(reference)) return image.descriptor
      throw new KatmanError('MANIFEST_UNKNOWN', `${name}: no image ${reference}`)
    },
    async open({ digest }, { start = 0, signal } = {}) {
      const found = find(digest)
      if (found === undefined) {
        throw new KatmanError('BLOB_UNKNOWN', `${name}: no content for ${digest}`, {
          hint: 'the archive is not whole; save it again',
          details: { digest, archive: tar.name },
        })
      }
      return found instanceof Uint8Array
        ? (async function* () {
            yield found.subarray(start)
          })()
        : tar.read(found, start, { signal })
    },
  }
}

function kindsOf(tar: TarFile): Archive['kinds'] {
  const isDocker = tar.find('manifest.json') !== undefined
  if (tar.find('oci-layout') !== undefined) {
    return isDocker ? ['oci-archive', 'docker-archive'] : ['oci-archive']
  }
  if (isDocker) return ['docker-archive']
  throw archiveInvalid(tar.name, 'it has neither oci-layout nor manifest.json')
}

function readContent(tar: TarFile, kind: ArchiveKind, call: CallOptions): Promise<ArchiveContent> {
  return kind === 'oci-archive' ? readOciArchive(tar) : readDockerArchive(tar, call)
}

async function compressionOf(file: string): Promise<Compression> {
  let handle
  try {
    handle = await open(file, 'r')
  } catch (cause) {
    throw new KatmanError('ARCHIVE_UNKNOWN', `open ${file}: no such file or directory`, {
      hint: 'check the path',
      details: { file },
      cause,
    })
  }
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(magicBytes), 0, magicBytes, 0)
    return detectCompression(buffer.subarray(0, bytesRead))
  } finally {
    await handle.close()
  }
}

async function unpack(
  from: string | Bytes,
  spool: string,
  name: string,
  options: SpoolOptions,
): Promise<void> {
  const { signal } = options
  const how = { highWaterMark: 1024 * 1024, ...(signal === undefined ? {} : { signal }) }
  const isPipe = typeof from === 'string' && (await stat(from).catch(() => undefined))?.isFIFO()
  const source: Bytes =
    typeof from !== 'string'
      ? from
      : isPipe
        ? await openPipe(from, options)
        : createReadStream(from, how)
  try {
    await writeSpool(unpackedWithin(source, options), spool, options)
  } catch (error) {
    const isClear = ['COMPRESSION_UNSUPPORTED', 'LAYER_TOO_LARGE', 'SPOOL_FULL'].some((code) =>
      isKatmanError(error, code),
    )
    if (error instanceof KatmanError && !isClear) throw archiveInvalid(name, error.message, error)
    throw error
  }
}
