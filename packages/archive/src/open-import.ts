import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import {
  type Bytes,
  type Descriptor,
  type Digest,
  imageConfigJson,
  type ImageConfigDraft,
  mediaTypes,
  parseDigest,
} from '@katman/oci'
import { type Compression, gzipped, startOf } from '@katman/layer'
import { type CallOptions, openMemoryPlace } from '@katman/transfer'
import type { ArchivePlace } from './archive-place.ts'
import { type SpoolOptions, unpackedWithin, writeSpool } from './spool.ts'

export interface ImportOptions extends SpoolOptions {
  /** What the image is, beside its layer. */
  readonly image: Omit<ImageConfigDraft, 'diffIDs'>
  /** Where the layer lies until it is copied. Default: the system's folder for temporary files. */
  readonly temporary?: string
}

/**
 * A tar archive of files as an image of one layer, to copy from. A layer may be packed by gzip or zstd: then its bytes stay
 * as they are; anything else (plain, bzip2, xz) is packed with gzip, the same way each time. The archive itself is checked by
 * who indexes the layer. Throws what {@link unpackedWithin} and
 * {@link writeSpool} throw.
 */
export async function openImport(
  from: Bytes,
  options: ImportOptions,
): Promise<ArchivePlace & AsyncDisposable> {
  const spool = path.join(options.temporary ?? tmpdir(), `katman-import-${randomUUID()}`)
  const close = (): Promise<void> => rm(spool, { force: true })
  try {
    const { layer, diffID } = await spoolLayer(from, spool, options)
    const place = openMemoryPlace('import')
    const draft = { ...options.image, diffIDs: [diffID] }
    const config = place.add(mediaTypes.ociConfig, encode(imageConfigJson(draft)))
    const mediaType = mediaTypes.ociManifest
    const manifest = { schemaVersion: 2, mediaType, config, layers: [layer] }
    const descriptor = place.add(mediaType, encode(manifest))
    return {
      ...place,
      images: [{ descriptor, names: [] }],
      has: () => true,
      open: async (wanted, call = {}) =>
        wanted.digest === layer.digest
          ? readFileFrom(spool, call.start ?? 0, call)
          : place.open(wanted, call),
      [Symbol.asyncDispose]: close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Writes the layer as it will be kept. */
async function spoolLayer(
  from: Bytes,
  spool: string,
  options: SpoolOptions,
): Promise<{ readonly layer: Descriptor; readonly diffID: Digest }> {
  const { compression, bytes } = await startOf(from)
  const content = createHash('sha256')
  const packed = createHash('sha256')
  const isKept = compression === 'gzip' || compression === 'zstd'
  const layer = isKept ? bytes : gzipped(hashed(unpackedWithin(bytes, options), content), options)
  await writeSpool(hashed(layer, packed), spool, options)
  const { size } = await stat(spool)
  if (isKept) {
    const unpacked = unpackedWithin(readFileFrom(spool, 0, options), options)
    for await (const chunk of unpacked) content.update(chunk)
  }
  return {
    layer: { mediaType: layerType(compression), digest: digestOf(packed), size },
    diffID: digestOf(content),
  }
}

function layerType(compression: Compression): string {
  return compression === 'zstd' ? mediaTypes.ociLayerZstd : mediaTypes.ociLayerGzip
}

async function* hashed(source: Bytes, hash: ReturnType<typeof createHash>): Bytes {
  for await (const chunk of source) {
    hash.update(chunk)
    yield chunk
  }
}

function digestOf(hash: ReturnType<typeof createHash>): Digest {
  return parseDigest(`sha256:${hash.digest('hex')}`)
}

async function* readFileFrom(file: string, start: number, { signal }: CallOptions): Bytes {
  yield* createReadStream(file, {
    start,
    highWaterMark: 1024 * 1024,
    ...(signal === undefined ? {} : { signal }),
  })
}

function encode(document: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(document))
}
