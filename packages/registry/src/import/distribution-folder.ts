import { createReadStream } from 'node:fs'
import { lstat, open, opendir, realpath } from 'node:fs/promises'
import path from 'node:path'
import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestHex,
  isDigest,
  isTag,
  KatmanError,
  maxDocumentBytes,
} from '@katman/oci'
import type { Source } from '@katman/transfer'
import { isRepositoryName } from '../route.ts'
import { mediaTypeOf } from './media-type-of.ts'

/** The storage folder of a distribution registry (`docker/registry/v2` of the filesystem driver). */
export interface DistributionFolder {
  /** The names of all repositories, in the order of the file system. */
  repositories(): AsyncIterable<string>
  /** Opens one of them. Blobs are read by digest from the folder all share. */
  repository(name: string): DistributionRepository
}

export interface DistributionRepository extends Source {
  tags(): AsyncIterable<string>
  /** The digests of all manifests, tagged or not, that were not deleted. */
  revisions(): AsyncIterable<Digest>
  /** The file that holds a blob. */
  file(digest: Digest): string
}

/** Folders in folders: a name has at most 255 characters. */
const maxDepth = 128
const maxLinkBytes = 512

/** Opens the folder above or at `docker/registry/v2`. Throws `STORAGE_INVALID` when it is none. */
export async function openDistributionFolder(given: string): Promise<DistributionFolder> {
  const root = await findRoot(given)
  const repositories = path.join(root, 'repositories')
  return {
    repositories: () => walk(repositories, '', 0),
    repository: (name) => openRepository(root, name),
  }
}

async function findRoot(given: string): Promise<string> {
  for (const below of ['docker/registry/v2', 'registry/v2', 'v2', '.']) {
    const root = path.resolve(given, below)
    const isFolder = await lstat(path.join(root, 'repositories')).then(
      (stat) => stat.isDirectory(),
      () => false,
    )
    if (isFolder) return realpath(root)
  }
  throw new KatmanError('STORAGE_INVALID', `${given} is no storage folder of a registry`, {
    hint: 'give the folder that has docker/registry/v2 in it (rootdirectory in its configuration)',
    details: { folder: given },
  })
}

async function* walk(folder: string, name: string, depth: number): AsyncIterable<string> {
  if (depth > maxDepth) return
  let isRepository = false
  for await (const entry of await opendir(folder)) {
    if (!entry.isDirectory()) continue
    if (entry.name === '_manifests') isRepository = true
    if (entry.name.startsWith('_')) continue
    const below = name === '' ? entry.name : `${name}/${entry.name}`
    if (isRepositoryName(below)) yield* walk(path.join(folder, entry.name), below, depth + 1)
  }
  if (isRepository) yield name
}

function openRepository(root: string, repository: string): DistributionRepository {
  const manifests = path.join(root, 'repositories', repository, '_manifests')
  const name = `${repository} of ${root}`
  const file = (digest: Digest): string => {
    const hex = digestHex(digest)
    return path.join(root, 'blobs', digestAlgorithm(digest), hex.slice(0, 2), hex, 'data')
  }

  async function describe(digest: Digest): Promise<Descriptor> {
    const stat = await lstat(file(digest)).catch(() => undefined)
    if (stat?.isFile() !== true) {
      throw new KatmanError('MANIFEST_UNKNOWN', `${name}: the file of ${digest} is missing`, {
        details: { digest },
      })
    }
    if (stat.size > maxDocumentBytes) {
      throw new KatmanError('DOCUMENT_TOO_LARGE', `${name}: manifest ${digest} is too large`, {
        details: { digest, size: stat.size },
      })
    }
    const mediaType = await mediaTypeOf(file(digest), digest)
    return { mediaType, digest, size: stat.size }
  }

  return {
    name,
    file,
    async resolve(reference) {
      if (isDigest(reference)) return describe(reference)
      return describe(await readLink(path.join(manifests, 'tags', reference, 'current', 'link')))
    },
    async open({ digest }, { start = 0 } = {}) {
      const stat = await lstat(file(digest)).catch(() => undefined)
      if (stat?.isFile() === true) {
        return createReadStream(file(digest), { start, highWaterMark: 1024 * 1024 })
      }
      throw new KatmanError('BLOB_UNKNOWN', `${name}: the file of ${digest} is missing`, {
        hint: 'its clean-up removed it, or the folder was not copied whole',
        details: { digest },
      })
    },
    async *tags() {
      for await (const entry of folders(path.join(manifests, 'tags'))) {
        if (isTag(entry)) yield entry
      }
    },
    async *revisions() {
      for await (const algorithm of folders(path.join(manifests, 'revisions'))) {
        const below = path.join(manifests, 'revisions', algorithm)
        for await (const hex of folders(below)) {
          const digest = `${algorithm}:${hex}`
          // A deleted manifest leaves its folder, without the link.
          const isThere = await lstat(path.join(below, hex, 'link')).catch(() => undefined)
          if (isThere?.isFile() === true && isDigest(digest)) yield digest
        }
      }
    },
  }
}

async function* folders(folder: string): AsyncIterable<string> {
  const opened = await opendir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (opened === undefined) return
  for await (const entry of opened) if (entry.isDirectory()) yield entry.name
}

async function readLink(file: string): Promise<Digest> {
  const handle = await open(file, 'r').catch(() => undefined)
  try {
    const { buffer, bytesRead } = (await handle?.read(Buffer.alloc(maxLinkBytes))) ?? {}
    const text = buffer?.subarray(0, bytesRead).toString('utf8').trim() ?? ''
    if (isDigest(text)) return text
  } finally {
    await handle?.close()
  }
  throw new KatmanError('MANIFEST_UNKNOWN', `${file} does not name a manifest`, {
    details: { file },
  })
}
