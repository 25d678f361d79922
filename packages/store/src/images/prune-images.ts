import type { Store } from '../store.ts'
import { invalidFilter, parseFilters } from './filter-terms.ts'
import { hasLabels } from './list-images.ts'
import { type ImageView, loadImages } from './image-view.ts'
import {
  createRemoval,
  deleteImage,
  type Removal,
  removeUnheld,
  type RemoveOptions,
  resultOf,
} from './remove-image.ts'

export interface PruneOptions extends Pick<RemoveOptions, 'dryRun' | 'users'> {
  /** Every image no container uses, not just those without a tag. */
  readonly all?: boolean
  /** Conditions as typed: `until=24h`, `label=a`, `label!=a=b`, `dangling=false`. */
  readonly filters?: readonly string[]
  /** Reads the time of `until`, in milliseconds since 1970. */
  readonly parseTime: (text: string) => number
}

/**
 * Removes images that nothing needs: those without a tag, as docker has it also when a digest names them.
 * Throws `FILTER_INVALID` with docker's text.
 */
export async function pruneImages(store: Store, options: PruneOptions): Promise<Removal> {
  const filter = createFilter(options)
  const images = await loadImages(store)
  const removal = createRemoval(store, images, { ...options, force: true })
  for (const image of images) {
    // Other platforms of a name stay as long as it does.
    if (image.tags.length + image.digests.length === 0 && image.isHeld) continue
    if (image.tags.length > 0 && !filter.all) continue
    if ((options.users?.(image) ?? []).length > 0 || !(await filter.keeps(image))) continue
    await deleteImage(removal, image)
  }
  await removeUnheld(removal)
  return resultOf(removal)
}

function createFilter(options: PruneOptions): {
  readonly all: boolean
  readonly keeps: (image: ImageView) => Promise<boolean>
} {
  const terms = parseFilters(options.filters ?? [], ['dangling', 'label', 'label!', 'until'])
  const { until = [], label: labels = [], 'label!': without = [] } = Object.fromEntries(terms)
  if (until.length > 1) throw invalidFilter('more than one until filter specified')
  const limits = until.map((text) => options.parseTime(text))
  const isAll = (value: string): boolean => value === 'false' || value === '0'
  return {
    all: options.all === true || (terms.get('dangling') ?? []).some(isAll),
    async keeps(image) {
      if (limits.some((limit) => image.created.getTime() > limit)) return false
      if (labels.length > 0 && !(await hasLabels(image, labels))) return false
      return without.length === 0 || !(await hasLabels(image, without))
    },
  }
}
