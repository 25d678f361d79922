import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { link, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type Bytes, type Digest, KatmanError, parseDigest } from '@katman/oci'
import { hasCode, ifThere, makeFolder, syncFolder, writeDurably } from './durable-file.ts'
import { FolderUpload } from './folder-upload.ts'
import type { ByteRange } from './object-store.ts'
import type { RegistryStorage, StoredManifest } from './storage.ts'

const version = 'katman registry folder 1\n'
const readBytes = 256 * 1024
/** An upload nobody went on with for this long was given up. */
const abandonedMs = 24 * 3600_000
/** How often a registry that runs looks for such uploads: when a new one begins. */
const sweepMs = 3600_000

/**
 * Keeps everything in a folder, made when it is not there. What a client was told is stored survives a power
 * cut. Throws `STORAGE_INVALID` for a folder that holds something else.
 */
export async function openFolderStorage(
  root: string,
  /** `now`: milliseconds since 1970. Default: the clock. */
  { now = Date.now }: { readonly now?: () => number } = {},
): Promise<RegistryStorage> {
  const temporary = path.join(root, 'tmp')
  const uploadsRoot = path.join(root, 'uploads')
  const repositoriesRoot = path.join(root, 'repositories')
  for (const folder of [temporary, uploadsRoot, repositoriesRoot]) await makeFolder(folder)
  await claim(root, temporary)
  const sessions = new Map<string, FolderUpload>()
  let sweptAt = Number.NEGATIVE_INFINITY
  await sweep()

  async function sweep(): Promise<void> {
    if (now() - sweptAt < sweepMs) return
    sweptAt = now()
    const removed = await removeAbandoned([temporary, uploadsRoot], now() - abandonedMs)
    for (const file of removed) sessions.delete(file)
  }

  const within = (repository: string, ...parts: readonly string[]): string =>
    path.join(repositoriesRoot, folderName(repository), ...parts)
  const blobFile = (repository: string, digest: Digest): string =>
    within(repository, 'blobs', fileName(digest))
  const manifestFile = (repository: string, digest: Digest): string =>
    within(repository, 'manifests', fileName(digest))
  const tagFile = (repository: string, tag: string): string => within(repository, 'tags', tag)

  function openUpload(repository: string, id: string, file: string, size: number): FolderUpload {
    const upload = new FolderUpload({
      id,
      file,
      size,
      target: (digest) => blobFile(repository, digest),
      onEnd: () => sessions.delete(file),
    })
    sessions.set(file, upload)
    return upload
  }

  async function getManifest(
    repository: string,
    digest: Digest,
  ): Promise<StoredManifest | undefined> {
    const content = await ifThere(readFile(manifestFile(repository, digest)))
    if (content === undefined) return undefined
    const end = content.indexOf(0x0a)
    const mediaType = content.subarray(0, end).toString('latin1')
    return { digest, mediaType, bytes: content.subarray(end + 1) }
  }

  return {
    blobs: {
      async size(repository, digest) {
        return (await ifThere(stat(blobFile(repository, digest))))?.size
      },
      open: (repository, digest, range) => readFrom(blobFile(repository, digest), range),
      async mount(repository, digest, from) {
        const target = blobFile(repository, digest)
        await makeFolder(path.dirname(target))
        try {
          await link(blobFile(from, digest), target)
        } catch (error) {
          if (hasCode(error, 'EEXIST')) return true
          // Not there, or a file system without hard links: the client uploads it then.
          if (hasCode(error, 'ENOENT', 'EPERM', 'ENOTSUP', 'EMLINK')) return false
          throw error
        }
        await syncFolder(path.dirname(target))
        return true
      },
      delete: (repository, digest) => remove(blobFile(repository, digest)),
    },
    uploads: {
      async create(repository) {
        await sweep()
        const id = randomUUID()
        const file = path.join(uploadsRoot, folderName(repository), id)
        await makeFolder(path.dirname(file))
        await writeFile(file, '', { flag: 'wx' })
        return openUpload(repository, id, file, 0)
      },
      async find(repository, id) {
        const file = path.join(uploadsRoot, folderName(repository), id)
        const size = (await ifThere(stat(file)))?.size
        if (size === undefined) return undefined
        return sessions.get(file) ?? openUpload(repository, id, file, size)
      },
    },
    manifests: {
      get: getManifest,
      async put(repository, { digest, mediaType, bytes }, subject) {
        // The link first: one that leads to nothing is skipped.
        if (subject !== undefined) {
          const folder = within(repository, 'referrers', fileName(subject))
          await writeDurably(path.join(folder, fileName(digest)), '', temporary)
        }
        const content = Buffer.concat([Buffer.from(`${mediaType}\n`, 'latin1'), bytes])
        await writeDurably(manifestFile(repository, digest), content, temporary)
      },
      async delete(repository, digest) {
        if (!(await remove(manifestFile(repository, digest)))) return false
        for (const subject of await list(within(repository, 'referrers'))) {
          await rm(within(repository, 'referrers', subject, fileName(digest)), { force: true })
        }
        return true
      },
      async referrers(repository, subject) {
        const names = await list(within(repository, 'referrers', fileName(subject)))
        const found = await Promise.all(
          names.map((name) => getManifest(repository, digestOfFile(name))),
        )
        return found.filter((manifest) => manifest !== undefined)
      },
    },
    tags: {
      async get(repository, tag) {
        const text = await ifThere(readFile(tagFile(repository, tag), 'utf8'))
        return text === undefined ? undefined : parseDigest(text.trim())
      },
      set: (repository, tag, digest) =>
        writeDurably(tagFile(repository, tag), `${digest}\n`, temporary),
      delete: (repository, tag) => remove(tagFile(repository, tag)),
      list: (repository) => list(within(repository, 'tags')),
    },
    async repositories() {
      const names = await list(repositoriesRoot)
      return names.map((name) => name.replaceAll('+', '/')).toSorted()
    },
  }
}

/** `+` is in no repository name. */
function folderName(repository: string): string {
  return repository.replaceAll('/', '+')
}

function fileName(digest: Digest): string {
  return digest.replace(':', '-')
}

function digestOfFile(name: string): Digest {
  return parseDigest(name.replace('-', ':'))
}

async function* readFrom(file: string, { start, end }: ByteRange): Bytes {
  // The end of a stream is its last byte, so it cannot say "nothing".
  if (start < end) yield* createReadStream(file, { start, end: end - 1, highWaterMark: readBytes })
}

async function list(folder: string): Promise<readonly string[]> {
  return ((await ifThere(readdir(folder))) ?? []).toSorted()
}

async function remove(file: string): Promise<boolean> {
  const removed = await ifThere(rm(file).then(() => true))
  if (removed === undefined) return false
  await syncFolder(path.dirname(file))
  return true
}

async function claim(root: string, temporary: string): Promise<void> {
  const file = path.join(root, 'version')
  const found = await ifThere(readFile(file, 'utf8'))
  if (found === undefined) await writeDurably(file, version, temporary)
  else if (found !== version) {
    throw new KatmanError(
      'STORAGE_INVALID',
      `${root} was made by another version of the registry`,
      {
        hint: 'choose another folder',
        details: { root, version: found.slice(0, 100) },
      },
    )
  }
}

/** Removes the files that nobody has written since. */
async function removeAbandoned(
  folders: readonly string[],
  since: number,
): Promise<readonly string[]> {
  const removed: string[] = []
  for (const folder of folders) {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      const file = path.join(entry.parentPath, entry.name)
      const changed = entry.isFile() ? (await ifThere(stat(file)))?.mtimeMs : undefined
      if (changed === undefined || changed >= since) continue
      await rm(file, { force: true })
      removed.push(file)
    }
  }
  return removed
}
