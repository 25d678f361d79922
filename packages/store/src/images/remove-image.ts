import { type Descriptor, type Digest, isKatmanError, KatmanError, shortDigest } from '@katman/oci'
import type { ReferenceRecord } from '../records.ts'
import type { Store } from '../store.ts'
import { findImage } from './find-image.ts'
import { compileGlob } from './glob.ts'
import { chainIDs, compareText, type ImageName, type ImageView, loadImages } from './image-view.ts'
import { type NamedContent, readNamedContent } from './named-content.ts'

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
  /**
   * Manifests that went although the indexes of names that stay list them: for {@link CollectOptions.without} of the
   * collection that frees their content.
   */
  readonly forgotten: readonly Digest[]
  /** Bytes of all files of the layers that went. */
  readonly sizeBytes: number
}

/**
 * Removes an image by name, id or digest, by docker's rules: a name that is not the last is only forgotten; with
 * the last name of a repository its digests go; with the last name of all the image goes, and the layers that
 * no other image has (as chainIDs, top first). Other platforms of a name go with it, unless another name leads to them.
 * An id of a platform that a name does not show takes that platform from the name. Content is deleted by the next
 * collection.
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
  await removeUnheld(removal)
  return resultOf(removal)
}

/** What a removal did, when it is done. */
export function resultOf({ lines, forgotten, sizeBytes }: RemovalState): Removal {
  return { lines, forgotten, sizeBytes }
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
  readonly forgotten: Digest[]
  images: readonly ImageView[]
  readonly content: NamedContent
  /** The names that were there from the beginning and still are. */
  readonly known: Set<string>
  /** What the names that went led to. */
  readonly goneTargets: Map<Digest, Descriptor>
  sizeBytes: number
  /** How many of `images` have a layer with all below it; counted at the first deletion. */
  users: Promise<Map<Digest, number>> | undefined
}

export function createRemoval(
  store: Store,
  images: readonly ImageView[],
  options: RemoveOptions,
): RemovalState {
  return {
    store,
    options,
    images,
    lines: [],
    forgotten: [],
    content: readNamedContent(store),
    known: new Set(images.flatMap((image) => namesOf(image).map(({ record }) => keyOf(record)))),
    goneTargets: new Map(),
    sizeBytes: 0,
    users: undefined,
  }
}

async function removeByName(
  state: RemovalState,
  image: ImageView,
  name: ImageName,
  typed: string,
): Promise<void> {
  const { force = false } = state.options
  const names = namesOf(image)
  const [user] = usersOf(state, image)
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
  // What a running container uses stays, without a name.
  const isRunning = usersOf(state, image).some((use) => use.isRunning)
  if (left.length === 0 && !isRunning) await deleteImage(state, { ...image, tags: [], digests: [] })
}

async function removeById(state: RemovalState, image: ImageView): Promise<void> {
  const { force = false } = state.options
  const id = shortDigest(image.id)
  const users = usersOf(state, image)
  const names = await namesLeadingTo(state, image)
  const running = users.find((use) => use.isRunning)
  if (running !== undefined) {
    throw conflict(
      `unable to delete ${id} (cannot be forced) - image is being used by running container ${running.id.slice(0, 12)}`,
    )
  }
  if (!force && !isSingleName(names)) {
    throw conflict(
      `unable to delete ${id} (must be forced) - image is referenced in multiple repositories`,
    )
  }
  const [stopped] = users
  if (!force && stopped !== undefined) {
    throw conflict(
      `unable to delete ${id} (must be forced) - image is being used by stopped container ${stopped.id.slice(0, 12)}`,
    )
  }
  for (const name of namesOf(image)) await untag(state, name)
  await forgetImage(state, { ...image, tags: [], digests: [] })
}

/**
 * Deletes an image with all names it has left, and the layers only it had; one that other names lead to only loses its
 * own names. Asks nobody.
 */
export async function deleteImage(state: RemovalState, image: ImageView): Promise<void> {
  for (const name of namesOf(image)) await untag(state, name)
  if ((await namesLeadingTo(state, image)).length > 0) return
  await forgetImage(state, image)
}

/** Deletes an image that has no names of its own any more, from the indexes of other names, too. */
export async function forgetImage(
  state: RemovalState,
  image: ImageView,
  shown: Digest = image.id,
): Promise<void> {
  const isListed = (await namesLeadingTo(state, image)).length > 0
  state.users ??= countLayerUsers(state.images)
  const users = await state.users
  if (!state.options.dryRun && (await isNamedAfterRemoval(state, image))) return
  if (isListed) state.forgotten.push(image.record.manifest.digest)
  state.images = state.images.filter((other) => other.id !== image.id)
  state.lines.push({ kind: 'deleted', digest: shown })
  const isUsed = usersOf(state, image).length > 0
  for (const { chainID, diffID } of (await layersOf(image)).toReversed()) {
    const left = (users.get(chainID) ?? 1) - 1
    users.set(chainID, left)
    // A container keeps the layers it stands on.
    if (left > 0 || isUsed) continue
    if (shown === image.id) state.lines.push({ kind: 'deleted', digest: chainID })
    state.sizeBytes += (await state.store.layerSize(diffID)) ?? 0
  }
}

/**
 * Removes the record of an image and looks for names that another process has written since this one looked: then the
 * record comes back. A pull writes names first and looks for the record after, so one of the two sees the other.
 */
async function isNamedAfterRemoval(state: RemovalState, image: ImageView): Promise<boolean> {
  const { store } = state
  await store.removeImage(image.id)
  const content = readNamedContent(store)
  for (const record of await store.references()) {
    if (state.known.has(keyOf(record))) continue
    const { image: shown, target } = record
    if (shown !== image.id && !(await content.leadsTo(target, image.record))) continue
    return putBack(store, image)
  }
  return false
}

/** What identifies a name that was seen: one that is written again is new. */
export function keyOf({ name, updatedAt, target, image }: ReferenceRecord): string {
  return `${name} ${updatedAt} ${target.digest} ${image}`
}

/** False when its content is gone: then it is the name that is at fault. */
async function putBack(store: Store, { record }: ImageView): Promise<boolean> {
  try {
    await store.putImage(record)
    return true
  } catch (error) {
    if (isKatmanError(error, 'CONTENT_INCOMPLETE')) return false
    throw error
  }
}

/**
 * Deletes the images that were other platforms of a name, when that name is gone, no other leads to them and they have
 * none of their own. A removal ends with this.
 */
export async function removeUnheld(state: RemovalState): Promise<void> {
  for (const image of state.images) {
    if (namesOf(image).length > 0 || usersOf(state, image).length > 0) continue
    if (!(await leadToIt(state, state.goneTargets.values(), image))) continue
    await deleteImage(state, image)
  }
}

/** Every name that leads to an image: its own, and those whose index has it. */
export async function namesLeadingTo(
  state: RemovalState,
  image: ImageView,
): Promise<readonly ImageName[]> {
  const found: ImageName[] = []
  for (const one of state.images) {
    for (const name of namesOf(one)) {
      if (await leadToIt(state, [name.record.target], image)) found.push(name)
    }
  }
  return found
}

async function leadToIt(
  state: RemovalState,
  targets: Iterable<Descriptor>,
  { record }: ImageView,
): Promise<boolean> {
  for (const target of targets) {
    if (await state.content.leadsTo(target, record)) return true
  }
  return false
}

async function countLayerUsers(images: readonly ImageView[]): Promise<Map<Digest, number>> {
  const users = new Map<Digest, number>()
  for (const image of images) {
    for (const { chainID } of await layersOf(image))
      users.set(chainID, (users.get(chainID) ?? 0) + 1)
  }
  return users
}

/** An image with damaged documents can still be removed: of its layers nothing is said. */
async function layersOf(
  image: ImageView,
): Promise<readonly { readonly chainID: Digest; readonly diffID: Digest }[]> {
  try {
    const { diffIDs } = await image.readConfig()
    const chain = chainIDs(diffIDs)
    return diffIDs.map((diffID, position) => ({ chainID: chain[position] ?? diffID, diffID }))
  } catch (error) {
    if (error instanceof KatmanError) return []
    throw error
  }
}

function usersOf(state: RemovalState, image: ImageView): readonly ContainerUse[] {
  return state.options.users?.(image) ?? []
}

export async function untag(state: RemovalState, name: ImageName): Promise<void> {
  state.known.delete(keyOf(name.record))
  state.goneTargets.set(name.record.target.digest, name.record.target)
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

/** All names, sorted as docker does: of each repository the tags, then the digests. */
function namesOf(image: ImageView): readonly ImageName[] {
  return [...image.tags, ...image.digests].toSorted((left, right) =>
    compareText(left.record.name, right.record.name),
  )
}

/** At most one tag, and every name in its repository. */
function isSingleName(names: readonly ImageName[]): boolean {
  const tags = names.filter((name) => name.reference.tag !== undefined)
  return tags.length <= 1 && new Set(names.map((name) => name.repository)).size <= 1
}

function conflict(reason: string): KatmanError {
  return new KatmanError('IMAGE_CONFLICT', `conflict: ${reason}`)
}
