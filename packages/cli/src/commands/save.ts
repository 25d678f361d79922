import { saveArchive, type SavedImage } from '@katman/archive'
import {
  type Descriptor,
  familiarName,
  isIndexType,
  parseManifest,
  parseReference,
  type Platform,
  type Reference,
} from '@katman/oci'
import { findImage, type ImageView, loadImages, selectPlatforms, type Store } from '@katman/store'
import { readVerified } from '@katman/transfer'
import type { Context } from '../context.ts'
import { CommandFailure, daemonFailure, dockerText, plainFailure } from '../failure.ts'
import { parsePlatforms } from '../platform-list.ts'
import { checkOutput, writeFileWhole, writeOutput } from '../write-file.ts'

export interface SaveFlags {
  readonly output: string | undefined
  readonly platform: readonly string[]
}

/** `save IMAGE...` */
export async function run(
  context: Context,
  flags: SaveFlags,
  names: readonly string[],
): Promise<void> {
  const { output } = flags
  if (!output && context.stdout.isTerminal) {
    throw new CommandFailure('cowardly refusing to save to a terminal. Use the -o flag or redirect')
  }
  if (output) checkOutput(output, 'save')
  const platforms = parsePlatforms(flags.platform)
  await using store = await context.openStore()
  const images = await imagesToSave(store, names, platforms)
  const bytes = saveArchive(store, images, {
    has: (descriptor) => store.has(descriptor),
    signal: context.signal,
  })
  try {
    if (output) await writeFileWhole(bytes, output)
    else await writeOutput(bytes, context.stdout)
  } catch (error) {
    throw plainFailure(error)
  }
}

async function imagesToSave(
  store: Store,
  names: readonly string[],
  platforms: readonly Platform[],
): Promise<readonly SavedImage[]> {
  const views = await loadImages(store)
  const saved = new Map<string, SavedImage>()
  for (const name of names) {
    for (const one of await findSaved(store, views, name, platforms)) {
      const known = saved.get(one.root.digest)
      const all = [...(known?.names ?? []), ...one.names]
      const unique = new Map(all.map((reference) => [JSON.stringify(reference), reference]))
      saved.set(one.root.digest, { ...one, names: [...unique.values()] })
    }
  }
  return [...saved.values()]
}

/** A name without tag stands for all tags of its repository; an id or a digest for the image without a name. */
async function findSaved(
  store: Store,
  views: readonly ImageView[],
  name: string,
  platforms: readonly Platform[],
): Promise<readonly SavedImage[]> {
  const repository = repositoryOf(name)
  const tags = views
    .flatMap((image) => image.tags.map((tag) => ({ image, tag })))
    .filter(({ tag }) => repository !== undefined && tag.repository === repository)
  if (tags.length > 0) {
    const saved = tags.map(({ image, tag }) =>
      savedImage(store, image, tag.record.target, [tag.reference], platforms),
    )
    return Promise.all(saved)
  }
  try {
    const { image, name: found } = findImage(views, name)
    const isTag = found?.reference.tag !== undefined
    const target = found?.record.target ?? image.record.manifest
    return [await savedImage(store, image, target, isTag ? [found.reference] : [], platforms)]
  } catch (error) {
    // docker names it as it was typed.
    const text = dockerText(error)
    throw text.startsWith('No such image')
      ? new CommandFailure(`Error response from daemon: No such image: ${name}`, { cause: error })
      : daemonFailure(error)
  }
}

async function savedImage(
  store: Store,
  image: ImageView,
  target: Descriptor,
  names: readonly Reference[],
  platforms: readonly Platform[],
): Promise<SavedImage> {
  const { manifest, platform } = image.record
  if (platforms.length === 0) return { root: target, manifest, names }
  if (!isIndexType(target.mediaType)) {
    selectPlatforms([{ ...target, platform }], platforms)
    return { root: target, manifest, names }
  }
  const index = parseManifest(await readVerified(store, target), target.mediaType)
  const entries = index.kind === 'index' ? selectPlatforms(index.manifests, platforms) : []
  const [first = target, ...others] = entries
  // One image stands for itself; several keep their index.
  if (others.length === 0) return { root: first, manifest: first, names }
  const isShown = entries.some(({ digest }) => digest === manifest.digest)
  return { root: target, manifest: isShown ? manifest : first, names, entries }
}

/** The repository, as it is shown, when the text is a name without tag and digest. */
function repositoryOf(name: string): string | undefined {
  try {
    const reference = parseReference(name)
    const isBare = reference.tag === undefined && reference.digest === undefined
    return isBare ? familiarName(reference) : undefined
  } catch {
    return undefined
  }
}
