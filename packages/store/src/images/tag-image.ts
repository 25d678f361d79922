import {
  familiarName,
  formatReference,
  KatmanError,
  type Reference,
  withDefaultTag,
} from '@katman/oci'
import type { Store } from '../store.ts'
import { findImage } from './find-image.ts'
import { loadImages } from './image-view.ts'

/**
 * Gives an image another name; a name that meant another image moves. What the source's name stood for (an index
 * with all its platforms) is kept. Throws `IMAGE_UNKNOWN`, `REFERENCE_INVALID` with docker's texts.
 */
export async function tagImage(
  store: Store,
  source: string,
  target: Reference,
  now: () => Date = () => new Date(),
): Promise<void> {
  if (target.digest !== undefined) {
    throw new KatmanError('REFERENCE_INVALID', 'refusing to create a tag with a digest reference')
  }
  if (familiarName(target) === 'sha256') {
    throw new KatmanError(
      'REFERENCE_INVALID',
      'refusing to create an ambiguous tag using digest algorithm as name',
    )
  }
  const { image, name } = findImage(await loadImages(store), source)
  const updatedAt = now().toISOString()
  const from = name?.record.from ?? image.record.from?.[0]
  await store.setReference({
    name: formatReference(withDefaultTag(target)),
    target: name?.record.target ?? image.record.manifest,
    image: image.id,
    updatedAt,
    ...(from === undefined ? {} : { from }),
  })
  await store.putImage({ ...image.record, lastTagTime: updatedAt })
}
