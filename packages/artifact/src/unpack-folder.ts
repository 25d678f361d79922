import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { createTarReader, decompressed, type TarEntry } from '@katman/layer'
import { type Bytes, KatmanError } from '@katman/oci'
import { preparePath } from './place-file.ts'
import { pathInvalid, pathParts } from './title.ts'
import type { UnpackBudget } from './unpack-budget.ts'

const maxEntries = 1_000_000

interface UnpackFolderOptions {
  /** Every entry is this folder or in it. */
  readonly title: string
  /** Digest of the uncompressed archive, if it is known. */
  readonly contentDigest: string | undefined
  readonly budget: UnpackBudget
  readonly signal: AbortSignal | undefined
}

/**
 * Unpacks a tar archive into `root`, a fresh folder, and returns where `title` is then. Throws `ARTIFACT_PATH_INVALID`
 * for an entry outside, one below a link, and a link that leads out; `ARTIFACT_CONTENT_INVALID` for devices and other
 * content than promised; `LAYER_TOO_LARGE` beyond the budget; what `decompressed` and `createTarReader` throw.
 */
export async function unpackFolder(
  archive: Bytes,
  root: string,
  { title, contentDigest, budget, signal }: UnpackFolderOptions,
): Promise<string> {
  const hash = createHash('sha256')
  const writer = openWriter(root, title, budget)
  try {
    const reader = createTarReader(writer, { maxEntries })
    for await (const chunk of decompressed(archive, 'detect')) {
      signal?.throwIfAborted()
      budget.spend(chunk.byteLength)
      hash.update(chunk)
      reader.push(chunk)
    }
    reader.end()
  } finally {
    writer.close()
  }
  const actual = `sha256:${hash.digest('hex')}`
  if (contentDigest?.startsWith('sha256:') && contentDigest !== actual) {
    throw contentInvalid(title, `its content is ${actual}, ${contentDigest} was promised`)
  }
  const folder = path.join(root, ...pathParts(title))
  if (fs.lstatSync(folder, { throwIfNoEntry: false })?.isDirectory()) return folder
  throw contentInvalid(title, 'the archive does not hold the folder')
}

interface Writer {
  entry(entry: TarEntry): void
  body(bytes: Uint8Array): void
  bodyEnd(): void
  close(): void
}

function openWriter(root: string, title: string, budget: UnpackBudget): Writer {
  const top = pathParts(title)
  let open: { readonly handle: number; readonly entry: TarEntry } | undefined
  const close = (): void => {
    if (open !== undefined) fs.closeSync(open.handle)
    open = undefined
  }
  const inside = (name: string): readonly string[] => {
    const parts = pathParts(name)
    if (top.every((part, position) => parts[position] === part)) return parts
    throw pathInvalid(name, `it is not in ${title}`)
  }

  function makeFile(entry: TarEntry, parts: readonly string[]): void {
    if (entry.sparse !== undefined) throw contentInvalid(title, `${entry.name} is a sparse file`)
    const file = preparePath(root, parts)
    makeRoom(file, entry)
    open = { handle: fs.openSync(file, 'wx', entry.mode & 0o777), entry }
  }

  function makeFolder(entry: TarEntry, parts: readonly string[]): void {
    const folder = preparePath(root, [...parts, ''])
    // Its owner must be able to put files in.
    fs.chmodSync(folder, (entry.mode & 0o777) | 0o700)
  }

  function makeLink(entry: TarEntry, parts: readonly string[]): void {
    const link = preparePath(root, parts)
    makeRoom(link, entry)
    if (entry.type === 'hardlink') {
      const to = preparePath(root, inside(entry.linkname))
      const there = fs.lstatSync(to, { throwIfNoEntry: false })
      if (!there?.isFile()) {
        throw pathInvalid(entry.name, 'it is a link to no file of the folder')
      }
      budget.spend(there.size)
      // Two files: a change of one is no surprise in the other.
      fs.copyFileSync(to, link, fs.constants.COPYFILE_EXCL)
      return
    }
    checkSymlink(entry, parts.slice(top.length, -1).length)
    fs.symlinkSync(entry.linkname, link)
  }

  return {
    entry(entry) {
      const parts = inside(entry.name)
      if (entry.type === 'directory') makeFolder(entry, parts)
      else if (entry.type === 'file') makeFile(entry, parts)
      else if (entry.type === 'symlink' || entry.type === 'hardlink') makeLink(entry, parts)
      else throw contentInvalid(title, `${entry.name} is a ${entry.type}`)
    },
    body(bytes) {
      for (let at = 0; open !== undefined && at < bytes.byteLength;) {
        at += fs.writeSync(open.handle, bytes, at)
      }
    },
    bodyEnd() {
      // Our own archives say 0: no time.
      if (open !== undefined && open.entry.mtime > 0) {
        fs.futimesSync(open.handle, open.entry.mtime, open.entry.mtime)
      }
      close()
    },
    close,
  }
}

/** A later entry takes the place of an earlier file, never of a folder. */
function makeRoom(file: string, { name }: TarEntry): void {
  const there = fs.lstatSync(file, { throwIfNoEntry: false })
  if (there?.isDirectory()) throw pathInvalid(name, 'there is a folder of this name')
  if (there !== undefined) fs.unlinkSync(file)
}

/**
 * A symbolic link may lead up to the top of its folder and down again from there. Up after down is refused: what lies
 * between may be a link itself.
 */
function checkSymlink({ name, linkname }: TarEntry, depth: number): void {
  if (linkname === '' || linkname.startsWith('/') || linkname.includes('\0')) {
    throw pathInvalid(name, 'it is a link that leads out of its folder')
  }
  const parts = linkname.split('/').filter((part) => part !== '' && part !== '.')
  const up = parts.findIndex((part) => part !== '..')
  const ups = up === -1 ? parts.length : up
  if (ups > depth || parts.slice(ups).includes('..')) {
    throw pathInvalid(name, 'it is a link that leads out of its folder')
  }
}

function contentInvalid(title: string, reason: string): KatmanError {
  return new KatmanError('ARTIFACT_CONTENT_INVALID', `folder ${JSON.stringify(title)}: ${reason}`, {
    hint: 'it was packed wrongly or to deceive; nothing of it was unpacked',
    details: { title, reason },
  })
}
