import { type Archive, type ArchiveImage, openArchive } from '@katman/archive'
import {
  familiarReference,
  isReference,
  parseReference,
  type Platform,
  type Reference,
  withDefaultTag,
} from '@katman/oci'
import { loadImage, type Store } from '@katman/store'
import { admit, fixedPath } from '../admit.ts'
import type { Context } from '../context.ts'
import { CommandFailure, plainFailure } from '../failure.ts'
import { hostPlatform } from '../host-platform.ts'
import { parsePlatforms } from '../platform-list.ts'
import { standardInput } from '../standard-input.ts'

export interface LoadFlags {
  readonly input: string | undefined
  readonly platform: readonly string[]
  readonly quiet: boolean
}

/** `load` */
export async function run(context: Context, flags: LoadFlags): Promise<void> {
  const { input } = flags
  if (!input && context.stdin.isTTY) {
    throw new CommandFailure('requested load from stdin, but stdin is empty')
  }
  try {
    const platforms = parsePlatforms(flags.platform)
    await using store = await context.openStore()
    const from = input ? await fixedPath(context.env, input) : standardInput(context)
    await using archive = await openArchive(from, { signal: context.signal })
    for (const image of archive.images) await mayLoad(context, archive, image)
    for (const image of archive.images) {
      await loadOne(context, store, archive, image, platforms)
    }
  } catch (error) {
    throw plainFailure(error)
  }
}

/** The signature policy sees what was found: a file that is an OCI archive and a docker archive as both. */
async function mayLoad(context: Context, archive: Archive, image: ArchiveImage): Promise<void> {
  const { kinds, file } = archive
  await admit(context, {
    source: archive,
    root: image.descriptor,
    from: { kinds, file, names: image.names, references: namesOf(image) },
  })
}

/** The names a store takes: with a tag, without a digest. */
function namesOf(image: ArchiveImage): readonly Reference[] {
  return image.names
    .filter((name) => isReference(name))
    .map((name) => withDefaultTag(parseReference(name)))
    .filter((name) => name.digest === undefined)
}

async function loadOne(
  context: Context,
  store: Store,
  archive: Archive,
  image: ArchiveImage,
  platforms: readonly Platform[],
): Promise<void> {
  const say = (line: string): void => context.stdout.write(`${line}\n`)
  const names = namesOf(image)
  const { images, replaced } = await loadImage(store, archive, image.descriptor, names, {
    has: (descriptor) => archive.has(descriptor),
    platforms,
    shown: hostPlatform(),
    signal: context.signal,
    now: context.now,
  })
  for (const { name, image: before } of replaced) {
    say(
      `The image ${familiarReference(name)} already exists, renaming the old one with ID ${before} to empty string`,
    )
  }
  for (const name of names) say(`Loaded image: ${familiarReference(name)}`)
  if (names.length === 0) for (const { id } of images) say(`Loaded image ID: ${id}`)
}
