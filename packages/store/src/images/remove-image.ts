import { canonicalName, type Digest, KatmanError, shortDigest } from '@katman/oci'
import type { Store } from '../store.ts'
import { findImage } from './find-image.ts'
import { compileGlob } from './glob.ts'
import { chainIDs, compareText, type ImageName, type ImageView, loadImages } from './image-view.ts'

/** One line of docker's answer. */
export type RemovalLine =
  | { readonly kind: 'untagged'; readonly name: string }
  | { readonly kind: 'deleted'; readonly digest: Digest }

/** A container that uses an image. */
export interface ContainerUse {
  readonly id: string
  readonly isRunning: boolean
}

export interface RemoveOptions {
  /** Remove an image that has several names, or that stopped containers use. */
  readonly force?: boolean
  /** Say what would be removed, remove nothing. */
  readonly dryRun?: boolean
  /** The containers of an image. Default: none. */
  readonly users?: (image: ImageView) => readonly ContainerUse[]
}

/** What a removal did. */
export interface Removal {
  readonly lines: readonly RemovalLine[]
  /** Bytes of all files of the layers that went. */
  readonly sizeBytes: number
}

/**
 * Removes an image by name, id or digest, by docker's rules: a name that is not the last is only forgotten; with
 * the last name of a repository its digests go; with the last name of all the image goes, and the layers that
 * no other image has (as chainIDs, top first). Content is deleted by the next collection.
 * Throws `IMAGE_UNKNOWN`, `REFERENCE_INVALID`, `IMAGE_CONFLICT` with docker's texts.
 */
export async function removeImage(
  store: Store,
  text: string,
  options: RemoveOptions = {},
): Promise<Removal> {
  const images = await loadImages(store)
  const found = findImage(images, text)
  const removal = createRemoval(store, images, options)
  if (found.name === undefined) await removeById(removal, found.image)
  else await removeByName(removal, found.image, found.name, text)
  return { lines: removal.lines, sizeBytes: removal.sizeBytes }
}

/** The names that a quoted pattern means, familiar, sorted; the text itself when it is no pattern. */
export async function expandPattern(store: Store, text: string): Promise<readonly string[]> {
  if (!/[*?[]/.test(text)) return [text]
  const matches = compileGlob(text)
  const names = (await loadImages(store)).flatMap((image) => image.tags)
  return names
    .filter((name) => matches(name.familiar) || matches(name.repository))
    .map((name) => name.familiar)
    .toSorted(compareText)
}

/** The running state of a removal: which names and images are left. */
export interface RemovalState {
  readonly store: Store
  readonly options: RemoveOptions
  readonly lines: RemovalLine[]
  images: readonly ImageView[]
  sizeBytes: number
}

export function createRemoval(
  store: Store,
  images: readonly ImageView[],
  options: RemoveOptions,
): RemovalState {
  return { store, options, images, lines: [], sizeBytes: 0 }
}

async function removeByName(
  state: RemovalState,
  image: ImageView,
  name: ImageName,
  typed: string,
): Promise<void> {
  const { force = false, users } = state.options
  const names = namesOf(image)
  const [user] = users?.(image) ?? []
  if (!force && user !== undefined && isSingleName(names)) {
    throw conflict(
      `unable to remove repository reference "${typed}" (must force) - container ${user.id.slice(0, 12)} is using its referenced image ${shortDigest(image.id)}`,
    )
  }
  await untag(state, name)
  let left = names.filter((other) => other !== name)
  const inRepository = (other: ImageName): boolean => other.repository === name.repository
  const isTag = name.reference.tag !== undefined
  if (isTag && !left.some((other) => inRepository(other) && other.reference.tag !== undefined)) {
    const gone = left.filter(inRepository)
    for (const other of gone) await untag(state, other)
    left = left.filter((other) => !gone.includes(other))
  }
  if (left.length > 0) return
  await deleteImage(state, { ...image, tags: [], digests: [] })
}

async function removeById(state: RemovalState, image: ImageView): Promise<void> {
  const names = namesOf(image)
  const { force = false } = state.options
  if (!isSingleName(names) && !force) {
    throw conflict(
      `unable to delete ${shortDigest(image.id)} (must be forced) - image is referenced in multiple repositories`,
    )
  }
  checkUsers(state, image)
  for (const name of names) await untag(state, name)
  await deleteImage(state, { ...image, tags: [], digests: [] })
}

/** Deletes an image with all names it has left, the layers only it had, and other platforms of its index. */
export async function deleteImage(state: RemovalState, image: ImageView): Promise<void> {
  checkUsers(state, image)
  for (const name of namesOf(image)) await untag(state, name)
  await deleteRecord(state, image)
  const { index } = image.record
  if (index === undefined) return
  const isNamed = state.images.some((other) =>
    namesOf(other).some((name) => name.record.target.digest === index.digest),
  )
  if (isNamed) return
  for (const other of state.images) {
    const isSibling = other.record.index?.digest === index.digest && namesOf(other).length === 0
    if (isSibling && other.isHeld) await deleteRecord(state, other)
  }
}

async function deleteRecord(state: RemovalState, image: ImageView): Promise<void> {
  const chain = chainIDs((await image.readConfig()).diffIDs)
  const diffIDs = (await image.readConfig()).diffIDs
  state.images = state.images.filter((other) => other.id !== image.id)
  const used = new Set<Digest>()
  for (const other of state.images) {
    for (const digest of chainIDs((await other.readConfig()).diffIDs)) used.add(digest)
  }
  if (!state.options.dryRun) await state.store.removeImage(image.id)
  state.lines.push({ kind: 'deleted', digest: image.id })
  for (let position = chain.length - 1; position >= 0; position--) {
    const digest = chain[position]
    const diffID = diffIDs[position]
    if (digest === undefined || diffID === undefined || used.has(digest)) continue
    state.lines.push({ kind: 'deleted', digest })
    state.sizeBytes += (await state.store.layerSize(diffID)) ?? 0
  }
}

async function untag(state: RemovalState, name: ImageName): Promise<void> {
  if (!state.options.dryRun) await state.store.removeReference(name.record.name)
  state.images = state.images.map((image) => withoutName(image, name))
  state.lines.push({ kind: 'untagged', name: name.familiar })
}

function withoutName(image: ImageView, name: ImageName): ImageView {
  if (image.id !== name.record.image) return image
  return {
    ...image,
    tags: image.tags.filter((other) => other.record.name !== name.record.name),
    digests: image.digests.filter((other) => other.record.name !== name.record.name),
  }
}

/** All names, sorted as docker does: each repository's tags, then its digests. */
export function namesOf(image: ImageView): readonly ImageName[] {
  return [...image.tags, ...image.digests].toSorted(
    (left, right) =>
      compareText(canonicalName(left.reference), canonicalName(right.reference)) ||
      Number(left.reference.digest !== undefined) - Number(right.reference.digest !== undefined) ||
      compareText(left.record.name, right.record.name),
  )
}

/** At most one tag, and every name in its repository. */
function isSingleName(names: readonly ImageName[]): boolean {
  const tags = names.filter((name) => name.reference.tag !== undefined)
  return tags.length <= 1 && new Set(names.map((name) => name.repository)).size <= 1
}

function checkUsers(state: RemovalState, image: ImageView): void {
  const { force = false, users } = state.options
  const uses = users?.(image) ?? []
  const running = uses.find((use) => use.isRunning)
  const stopped = uses.find((use) => !use.isRunning)
  const id = shortDigest(image.id)
  if (running !== undefined) {
    throw conflict(
      `unable to delete ${id} (cannot be forced) - image is being used by running container ${running.id.slice(0, 12)}`,
    )
  }
  if (stopped !== undefined && !force) {
    throw conflict(
      `unable to delete ${id} (must be forced) - image is being used by stopped container ${stopped.id.slice(0, 12)}`,
    )
  }
}

function conflict(reason: string): KatmanError {
  return new KatmanError('IMAGE_CONFLICT', `conflict: ${reason}`)
}
