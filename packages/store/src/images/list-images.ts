import { invalidFilter, parseFilters } from './filter-terms.ts'
import { findImage } from './find-image.ts'
import { compileGlob } from './glob.ts'
import type { ImageName, ImageView } from './image-view.ts'

/** One row of `images`. */
export interface ImageRow {
  readonly image: ImageView
  /** As docker displays it; `<none>` without a name. */
  readonly repository: string
  readonly tag: string
  /** The digest of the name; `<none>`, or empty where docker leaves it empty. */
  readonly digest: string
}

export interface ListOptions {
  /** Conditions as typed: `label=a=b`. All names of one kind must hold (references: any). */
  readonly filters?: readonly string[]
  /** Only names that match this pattern. */
  readonly name?: string | undefined
  /** A row for each digest of a name. */
  readonly digests?: boolean
  /** Reads the time of `until`, in milliseconds since 1970. Default: there is no such filter. */
  readonly parseTime?: (text: string) => number
}

const none = '<none>'

/** The rows of docker's image list. Throws `FILTER_INVALID` and `IMAGE_UNKNOWN` (of `before`, `since`). */
export async function listImages(
  images: readonly ImageView[],
  options: ListOptions = {},
): Promise<readonly ImageRow[]> {
  const filter = createFilter(images, options)
  const rows: ImageRow[] = []
  for (const image of images) {
    // Another platform of a name is shown with `--tree`, not as an image without one.
    if (image.tags.length + image.digests.length === 0 && image.isHeld) continue
    if (await filter.keepsImage(image)) rows.push(...rowsOf(image, filter, options))
  }
  return rows
}

interface ImageFilter {
  keepsImage(image: ImageView): Promise<boolean>
  /** True when the name matches; undefined when no name was asked for. */
  readonly keepsName: ((name: ImageName) => boolean) | undefined
}

const knownFilters = ['dangling', 'label', 'before', 'since', 'reference', 'until']

function createFilter(images: readonly ImageView[], options: ListOptions): ImageFilter {
  const values = parseFilters(options.filters ?? [], knownFilters)
  const patterns = [...(values.get('reference') ?? []), ...(options.name ? [options.name] : [])]
  const globs = patterns.map(compileGlob)
  const dangling = parseDangling(values.get('dangling'))
  const labels = values.get('label') ?? []
  const before = (values.get('before') ?? []).map((text) => findImage(images, text).image)
  const since = (values.get('since') ?? []).map((text) => findImage(images, text).image)
  const { parseTime } = options
  const until = (values.get('until') ?? []).map((text) => {
    if (parseTime === undefined) throw invalidFilter("Invalid filter 'until'")
    return parseTime(text)
  })
  const keepsName =
    globs.length === 0
      ? undefined
      : (name: ImageName): boolean =>
          globs.some((glob) => glob(name.familiar) || glob(name.repository))
  return {
    keepsName,
    async keepsImage(image) {
      const time = image.created.getTime()
      if (dangling === true && image.tags.length > 0) return false
      if (dangling === false && image.tags.length + image.digests.length === 0) return false
      if (before.some((other) => time >= other.created.getTime())) return false
      if (since.some((other) => time <= other.created.getTime())) return false
      if (until.some((limit) => time > limit)) return false
      return labels.length === 0 || hasLabels(image, labels)
    },
  }
}

/** True when the config has every label: `key`, or `key=value`. */
export async function hasLabels(image: ImageView, labels: readonly string[]): Promise<boolean> {
  const own = (await image.readConfig()).config.labels ?? {}
  return labels.every((label) => {
    const equals = label.indexOf('=')
    const key = equals === -1 ? label : label.slice(0, equals)
    if (!Object.hasOwn(own, key)) return false
    return equals === -1 || own[key] === label.slice(equals + 1)
  })
}

function rowsOf(image: ImageView, filter: ImageFilter, options: ListOptions): ImageRow[] {
  const keeps = filter.keepsName ?? (() => true)
  const tags = image.tags.filter(keeps)
  const digests = image.digests.filter(keeps)
  if (tags.length === 0 && digests.length === 0) {
    const isNameless = image.tags.length === 0 && image.digests.length === 0
    return isNameless && filter.keepsName === undefined
      ? [{ image, repository: none, tag: none, digest: none }]
      : []
  }
  const rows: ImageRow[] = []
  const shown = new Set<ImageName>()
  for (const name of tags) {
    const own = digests.filter((other) => other.repository === name.repository)
    for (const other of own) shown.add(other)
    const tag = name.reference.tag ?? none
    const base = { image, repository: name.repository, tag }
    if (!options.digests || own.length === 0) rows.push({ ...base, digest: none })
    else for (const other of own) rows.push({ ...base, digest: other.reference.digest ?? none })
  }
  const untagged = new Set<string>()
  for (const name of digests) {
    if (shown.has(name) || (!options.digests && untagged.has(name.repository))) continue
    untagged.add(name.repository)
    const digest = options.digests ? (name.reference.digest ?? none) : ''
    rows.push({ image, repository: name.repository, tag: none, digest })
  }
  return rows
}

function parseDangling(values: readonly string[] = []): boolean | undefined {
  if (values.length === 0) return undefined
  if (values.some((value) => value === 'true' || value === '1')) return true
  if (values.some((value) => value === 'false' || value === '0')) return false
  throw invalidFilter(`Invalid filter 'dangling=[${values.join(' ')}]'`)
}
