import {
  canonicalName,
  type Descriptor,
  type Digest,
  familiarReference,
  formatReference,
  isDigest,
  KatmanError,
  parseReference,
  type Reference,
  withDefaultTag,
} from '@katman/oci'
import type { ImageName, ImageView } from './image-view.ts'

/** An image and the name it was found by; no name when it was found by an id. */
export interface FoundImage {
  readonly image: ImageView
  readonly name?: ImageName
  /** What the name stands for, or the id, when that is the digest of a name's index or manifest. */
  readonly target?: Descriptor
}

/**
 * Finds an image as docker's engine does: whole id, name (with `:latest` where no tag is written; with a digest
 * the tag does not matter), unique prefix of an id; and by the digest of what names stand for, which `images --tree` shows
 * as the id of several platforms.
 * Throws `IMAGE_UNKNOWN` (`No such image: nope:latest`) and `REFERENCE_INVALID`, with docker's text.
 */
export function findImage(images: readonly ImageView[], text: string): FoundImage {
  const whole = isDigest(text) ? text : `sha256:${text}`
  const byId = images.find((image) => image.id === whole)
  const byWholeTarget = byId === undefined ? findByTarget(images, whole) : undefined
  if (byId !== undefined) return { image: byId }
  if (byWholeTarget !== undefined) return byWholeTarget
  if (isDigest(text) || /^[0-9a-f]{64}$/.test(text)) throw unknownImage(text)
  const reference = engineReference(text)
  const byName = findByName(images, reference)
  if (byName !== undefined) return byName
  const byPrefix = findByPrefix(images, text)
  if (byPrefix !== undefined) return byPrefix
  throw unknownImage(familiarReference(withDefaultTag(reference)))
}

/** The error for an image that is not there. */
function unknownImage(shown: string): KatmanError {
  return new KatmanError('IMAGE_UNKNOWN', `No such image: ${shown}`, {
    hint: 'list the images with: katman images',
    details: { image: shown },
  })
}

/** Parses a name as the engine does: its text for capitals does not repeat the name. */
function engineReference(text: string): Reference {
  try {
    return parseReference(text)
  } catch (error) {
    if (!(error instanceof KatmanError)) throw error
    const message = error.message.replace(
      /repository name \(.*\) must be lowercase$/,
      'repository name must be lowercase',
    )
    throw new KatmanError(error.code, message, { details: error.details, cause: error })
  }
}

function findByName(images: readonly ImageView[], reference: Reference): FoundImage | undefined {
  const { digest } = reference
  const wanted =
    digest === undefined
      ? formatReference(withDefaultTag(reference))
      : `${canonicalName(reference)}@${digest}`
  for (const image of images) {
    const name = [...image.tags, ...image.digests].find(({ record }) => record.name === wanted)
    if (name !== undefined) return { image, name, target: name.record.target }
  }
  return undefined
}

function findByPrefix(images: readonly ImageView[], text: string): FoundImage | undefined {
  const hex = text.replace(/^sha256:/, '')
  if (!/^[0-9a-f]{1,64}$/.test(hex)) return undefined
  const found = images.filter((image) => image.id.startsWith(`sha256:${hex}`))
  const [image] = found
  if (image !== undefined) return found.length === 1 ? { image } : undefined
  return findByTarget(images, `sha256:${hex}`)
}

function findByTarget(images: readonly ImageView[], prefix: string): FoundImage | undefined {
  const found = new Map<Digest, FoundImage>()
  for (const image of images) {
    for (const { record } of [...image.tags, ...image.digests]) {
      const { target } = record
      if (target.digest.startsWith(prefix)) found.set(target.digest, { image, target })
    }
  }
  return found.size === 1 ? [...found.values()][0] : undefined
}
