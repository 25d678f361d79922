import fs from 'node:fs'
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises'
import path from 'node:path'
import { maxInflatedBytes } from '@katman/layer'
import {
  type Bytes,
  type Descriptor,
  digestHex,
  isForeignLayerType,
  KatmanError,
  parseManifest,
} from '@katman/oci'
import {
  type CallOptions,
  copyContent,
  type CopyEvent,
  readVerified,
  type Source,
  type Target,
  verified,
} from '@katman/transfer'
import { type ListedFile, listFiles } from './list-files.ts'
import { checkPlace, placeFile } from './place-file.ts'
import { contentDigestKey, pathParts } from './title.ts'
import { createUnpackBudget, type UnpackBudget } from './unpack-budget.ts'
import { unpackFolder } from './unpack-folder.ts'

export interface UnpackOptions extends CallOptions {
  /** A file that is there already is an error. Default: it is replaced. */
  readonly keepOld?: boolean
  /** How many bytes may come out of so many: of all folders and copies together. Default: as for a layer. */
  readonly maxUnpackedBytes?: (packedBytes: number) => number
  readonly onEvent?: (event: CopyEvent) => void
}

export interface UnpackResult {
  /** The files and folders that are there now. */
  readonly placed: readonly (ListedFile & { readonly title: string })[]
  /** Content without a name, which was left. */
  readonly unnamed: readonly Descriptor[]
}

/**
 * Brings the files of an artifact into a folder, which is made when it is missing. They appear when all are here and
 * verified. Throws `ARTIFACT_PATH_INVALID`, `ARTIFACT_CONTENT_INVALID`, `LAYER_TOO_LARGE`, `MANIFEST_INVALID`, and what
 * {@link copyContent} throws.
 */
export async function unpackArtifact(
  source: Source,
  root: Descriptor,
  folder: string,
  options: UnpackOptions = {},
): Promise<UnpackResult> {
  const { keepOld = false, maxUnpackedBytes = maxInflatedBytes, signal } = options
  const manifest = parseManifest(await readVerified(source, root, { signal }), root.mediaType)
  if (manifest.kind === 'index') throw isIndex(root)
  const files = listFiles(manifest)
  const placed = files.flatMap(({ title, ...file }) =>
    title === undefined ? [] : [{ ...file, title }],
  )
  for (const file of placed) if (isElsewhere(file.descriptor)) throw notHere(file)
  const unnamed = files.flatMap(({ title, descriptor }) =>
    title === undefined ? [descriptor] : [],
  )
  await mkdir(folder, { recursive: true })
  // On the same file system, so that files can be moved into place.
  const staging = await mkdtemp(path.join(folder, '.katman-'))
  try {
    const wanted = new Set(placed.map(({ descriptor }) => descriptor.digest))
    const target = stagingTarget(staging, ({ digest }) => wanted.has(digest))
    await copyContent(source, target, root, {
      signal,
      onEvent: options.onEvent,
      readFrom: 'source',
    })
    const sizes = new Map(placed.map(({ descriptor }) => [descriptor.digest, descriptor.size]))
    const packed = [...sizes.values()].reduce((sum, size) => sum + size, 0)
    const budget = createUnpackBudget(packed, maxUnpackedBytes(packed))
    const ready: [ListedFile & { readonly title: string }, string][] = []
    for (const file of placed) {
      const isShared = placed.some(
        (one) => one !== file && one.descriptor.digest === file.descriptor.digest,
      )
      ready.push([file, await prepare(staging, file, { isShared, budget, signal })])
    }
    // Nothing appears when one of them cannot.
    for (const [{ title }, from] of ready) checkPlace(folder, pathParts(title), from, keepOld)
    for (const [{ title }, from] of ready) placeFile(folder, pathParts(title), from, keepOld)
    return { placed, unnamed }
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
}

/** Takes the files of an artifact and is content without the rest. */
function stagingTarget(staging: string, wants: (descriptor: Descriptor) => boolean): Target {
  return {
    name: 'files',
    has: async (descriptor) => !wants(descriptor),
    async write(descriptor, source, { onProgress, signal } = {}) {
      const handle = await open(stagedPath(staging, descriptor), 'wx')
      try {
        let bytes = 0
        for await (const chunk of verified(await source(0), descriptor, 'artifact')) {
          signal?.throwIfAborted()
          await handle.writeFile(chunk)
          bytes += chunk.byteLength
          onProgress?.({ state: 'receiving', bytes })
        }
        onProgress?.({ state: 'received' })
      } finally {
        await handle.close()
      }
    },
  }
}

/** Unpacks a folder. Of two files with one content each gets a copy of its own. */
async function prepare(
  staging: string,
  { descriptor, title, isFolder }: ListedFile & { readonly title: string },
  {
    isShared,
    budget,
    signal,
  }: {
    readonly isShared: boolean
    readonly budget: UnpackBudget
    readonly signal: AbortSignal | undefined
  },
): Promise<string> {
  const staged = stagedPath(staging, descriptor)
  if (!isFolder && !isShared) return staged
  const own = await mkdtemp(path.join(staging, 'file-'))
  if (isFolder) {
    const contentDigest = descriptor.annotations?.[contentDigestKey]
    const archive = fs.createReadStream(staged, { highWaterMark: 1024 * 1024 }) as Bytes
    return unpackFolder(archive, own, { title, contentDigest, budget, signal })
  }
  budget.spend(descriptor.size)
  const file = path.join(own, 'content')
  fs.copyFileSync(staged, file, fs.constants.COPYFILE_FICLONE)
  return file
}

function stagedPath(staging: string, { digest }: Descriptor): string {
  return path.join(staging, digestHex(digest))
}

/** Such a layer is not moved: its bytes lie at its addresses only. */
function isElsewhere({ mediaType, urls = [] }: Descriptor): boolean {
  return isForeignLayerType(mediaType) && urls.length > 0
}

function notHere({ descriptor, title }: { descriptor: Descriptor; title: string }): KatmanError {
  const { digest, mediaType, urls } = descriptor
  const name = JSON.stringify(title)
  return new KatmanError(
    'ARTIFACT_CONTENT_INVALID',
    `file ${name}: it is not in the artifact (${mediaType} with urls)`,
    {
      hint: 'the artifact names addresses to fetch it from, which Katman never asks',
      details: { title, digest, urls },
    },
  )
}

function isIndex({ digest }: Descriptor): KatmanError {
  return new KatmanError('MANIFEST_INVALID', `${digest} is an index, not an artifact`, {
    hint: 'choose one of its entries: --platform, or a digest',
    details: { digest },
  })
}
