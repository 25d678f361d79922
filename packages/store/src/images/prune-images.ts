import { invalidFilter, hasLabels } from './list-images.ts'
import { type ImageView, isDangling, loadImages } from './image-view.ts'
import { createRemoval, deleteImage, type Removal, type RemoveOptions } from './remove-image.ts'
import type { Store } from '../store.ts'

export interface PruneOptions extends Pick<RemoveOptions, 'dryRun' | 'users'> {
  /** Every image no container uses, not just those without a name. */
  readonly all?: boolean
  /** Conditions as typed: `until=24h`, `label=a`, `label!=a=b`, `dangling=false`. */
  readonly filters?: readonly string[]
  /** Reads the time of `until`, in milliseconds since 1970. */
  readonly parseTime: (text: string) => number
}

/** Removes images that nothing needs. Throws `FILTER_INVALID` with docker's text. */
export async function pruneImages(store: Store, options: PruneOptions): Promise<Removal> {
  const filter = parsePruneFilters(options)
  const removal = createRemoval(store, await loadImages(store), { ...options, force: true })
  for (const image of removal.images) {
    const isUsed = (options.users?.(image) ?? []).length > 0
    if (isUsed || !(filter.all || isDangling(image)) || !(await filter.keeps(image))) continue
    // Platforms held by a name go with it.
    if (image.isHeld && image.tags.length + image.digests.length === 0) continue
    await deleteImage(removal, image)
  }
  return { lines: removal.lines, sizeBytes: removal.sizeBytes }
}

function parsePruneFilters(options: PruneOptions): {
  readonly all: boolean
  readonly keeps: (image: ImageView) => Promise<boolean>
} {
  let all = options.all ?? false
  let until = Infinity
  const labels: string[] = []
  const without: string[] = []
  for (const filter of options.filters ?? []) {
    if (filter === '') continue
    const equals = filter.indexOf('=')
    const key = filter.slice(0, equals)
    const value = filter.slice(equals + 1)
    if (key === 'until') until = options.parseTime(value)
    else if (key === 'label') labels.push(value)
    else if (key === 'label!') without.push(value)
    else if (key === 'dangling') all ||= value === 'false' || value === '0'
    else throw invalidFilter(`Invalid filter '${key}'`)
  }
  return {
    all,
    async keeps(image) {
      if (image.created.getTime() > until) return false
      if (labels.length > 0 && !(await hasLabels(image, labels))) return false
      return without.length === 0 || !(await hasLabels(image, without))
    },
  }
}
