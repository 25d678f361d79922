import { type Bytes, KatmanError } from '@katman/oci'
import type { LayerEntry } from './layer-entry.ts'
import type { LayerIndex } from './layer-index.ts'
import { rootPath } from './layer-path.ts'
import { blockSize } from './tar-header.ts'
import { shownName } from './tar-name.ts'
import { tarHeader, type TarInput } from './tar-writer.ts'
import { unionOf } from './union.ts'

/** A layer to export: what it holds, and its uncompressed bytes when they are asked for. */
export interface ExportedLayer {
  readonly index: LayerIndex
  readonly open: () => Bytes
}

/**
 * The files of an image as one tar archive: what is left when the layers lie over each other, without whiteouts. Layers
 * from bottom to top. First all directories, sorted; then layer by layer what has content, in the order it is stored, so that
 * every layer is read once and nothing is kept; last what has none. Hard links name the first of their names. The root
 * itself is left out, as docker does. The same layers give the same bytes.
 *
 * Throws `LAYER_ENTRY_INVALID` for a hard link to nothing, `LAYER_TRUNCATED` for a layer that ends early, and what `open` and
 * {@link unionOf} throw.
 */
export async function* exportTree(layers: readonly ExportedLayer[]): Bytes {
  const { directories, files } = filesOf(layers.map(({ index }) => index))
  for (const [path, entry] of directories) yield header(path, entry)
  for (const [number, layer] of layers.entries()) {
    const stored = files
      .filter((file) => file.layer === number && storedBytes(file.entry) > 0)
      .toSorted((a, b) => a.entry.offset - b.entry.offset)
    if (stored.length > 0) yield* exportStored(stored, layer.open())
  }
  for (const file of files) {
    if (storedBytes(file.entry) > 0) continue
    yield header(file.names[0], file.entry)
    yield* links(file)
  }
  yield Buffer.alloc(2 * blockSize)
}

/** A file, link, device or pipe that is left in the end. */
interface ExportedFile {
  readonly entry: LayerEntry
  readonly layer: number
  /** As one walks through the tree. */
  readonly names: [string, ...string[]]
}

function filesOf(layers: readonly LayerIndex[]): {
  readonly directories: readonly (readonly [string, LayerEntry])[]
  readonly files: readonly ExportedFile[]
} {
  const directories: (readonly [string, LayerEntry])[] = []
  const files = new Map<LayerEntry, ExportedFile>()
  const sorted = [...unionOf(layers)].toSorted(([a], [b]) => (walkKey(a) < walkKey(b) ? -1 : 1))
  for (const [path, { entry, layer, content }] of sorted) {
    if (path === rootPath) continue
    if (entry.type === 'directory') {
      directories.push([path, entry])
      continue
    }
    if (entry.type === 'hardlink' && content === undefined) throw brokenLink(path, entry)
    const own = content ?? { entry, layer }
    const known = files.get(own.entry)
    if (known === undefined) files.set(own.entry, { ...own, names: [path] })
    else known.names.push(path)
  }
  return { directories, files: [...files.values()] }
}

/** Sorts as one walks through a tree: all below `a` before `a-b`. */
function walkKey(path: string): string {
  return path.replaceAll('/', '\0')
}

/** Goes through the bytes of a layer once and hands out the files in it. */
async function* exportStored(files: readonly ExportedFile[], bytes: Bytes): Bytes {
  let next = 0
  let position = 0
  let left = 0
  for await (const chunk of bytes) {
    const end = position + chunk.byteLength
    let at = position
    while (at < end) {
      const file = files[next]
      // The rest of the layer is read all the same, because its check comes at its end.
      if (file === undefined) break
      const size = storedBytes(file.entry)
      if (left === 0) {
        if (file.entry.offset >= end) break
        at = file.entry.offset
        left = size
        yield header(file.names[0], file.entry)
      }
      const piece = chunk.subarray(at - position, Math.min(at + left, end) - position)
      yield piece
      at += piece.byteLength
      left -= piece.byteLength
      if (left > 0) continue
      yield Buffer.alloc((blockSize - (size % blockSize)) % blockSize)
      yield* links(file)
      next += 1
    }
    position = end
  }
  if (next < files.length) {
    throw new KatmanError('LAYER_TRUNCATED', 'a layer ends before its last file', {
      hint: 'look for damage with: katman fsck --hash',
      details: { size: position },
    })
  }
}

function* links({ names: [first, ...others], entry }: ExportedFile): Iterable<Uint8Array> {
  for (const name of others) {
    const { mode, uid, gid, mtime } = entry
    yield tarHeader({ name, type: 'hardlink', linkname: first, mode, uid, gid, mtime }, 0)
  }
}

function header(name: string, entry: LayerEntry): Uint8Array {
  const { mode, uid, gid, mtime, mtimeNanos, linkname, devMajor, devMinor, xattrs, sparse } = entry
  const input: TarInput = {
    name,
    type: tarType(entry),
    mode,
    uid,
    gid,
    mtime,
    ...(mtimeNanos !== undefined && { mtimeNanos }),
    ...(linkname !== undefined && { linkname }),
    ...(devMajor !== undefined && { devMajor }),
    ...(devMinor !== undefined && { devMinor }),
    ...(xattrs !== undefined && { xattrs }),
    ...(sparse !== undefined && { sparse: { size: entry.size, pieces: sparse } }),
  }
  return tarHeader(input, storedBytes(entry))
}

function tarType({ type, path }: LayerEntry): NonNullable<TarInput['type']> {
  if (type !== 'whiteout' && type !== 'opaque') return type
  throw new TypeError(`${path} is a whiteout`)
}

/** Bytes of content in the layer: the holes of a sparse file are not there. */
function storedBytes({ type, size, sparse }: LayerEntry): number {
  if (type !== 'file') return 0
  if (sparse === undefined) return size
  return sparse.reduce((sum, number, index) => (index % 2 === 1 ? sum + number : sum), 0)
}

function brokenLink(path: string, { linkname = '' }: LayerEntry): KatmanError {
  const reason = `a hard link to ${shownName(linkname)}, which is not there`
  return new KatmanError('LAYER_ENTRY_INVALID', `layer, entry ${shownName(path)}: ${reason}`, {
    hint: 'the layer was made wrongly or to deceive; it is not used',
    details: { entry: path, reason },
  })
}
