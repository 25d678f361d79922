import {
  childrenOf,
  type Descriptor,
  type Digest,
  formatPlatform,
  isAttestation,
  isIndexType,
  isUnknownPlatform,
  parseManifest,
  shortDigest,
} from '@katman/oci'
import {
  type ImageRow,
  type ImageView,
  listImages,
  loadImages,
  type NamedContent,
  readNamedContent,
  type Store,
} from '@katman/store'
import { readVerified } from '@katman/transfer'
import type { Context } from './context.ts'
import { daemonFailure } from './failure.ts'
import { escapeTerminal } from './terminal/escape.ts'
import { parseFilterTime } from './terminal/go-time.ts'
import { formatSize } from './terminal/size.ts'
import { displayWidth } from './terminal/display-width.ts'

/** What a tree shows. */
export interface TreeOptions {
  /** Only names that match this pattern. */
  readonly name: string | undefined
  readonly filters: readonly string[]
}

/** One line of the tree: an image, or one platform of it. Sizes undefined: not in the store. */
interface TreeLine {
  readonly title: string
  readonly id?: string
  readonly sizeBytes?: number
  readonly contentBytes?: number
}

/**
 * `images --tree`: each image with the platforms its index has, those that are not in the store too (dim on a
 * terminal). SIZE is docker's size, all files of all layers; CONTENT SIZE is what the store holds for it, compressed.
 */
export async function renderTree(
  store: Store,
  context: Context,
  options: TreeOptions,
): Promise<string> {
  const images = await loadImages(store)
  const rows = await listImages(images, {
    name: options.name,
    filters: options.filters,
    parseTime: (text) => parseFilterTime(text, context.now()),
  }).catch((error: unknown) => {
    throw daemonFailure(error)
  })
  const blocks: TreeLine[][] = []
  const tree = { store, images, named: readNamedContent(store) }
  for (const group of groupRows(rows)) blocks.push(await groupLines(tree, group))
  return layOut(blocks, context)
}

/** Names of the same content. */
interface Group {
  readonly target: Descriptor
  readonly image: ImageView
  readonly names: string[]
}

function groupRows(rows: readonly ImageRow[]): readonly Group[] {
  const groups = new Map<Digest, Group>()
  for (const { image, repository, tag } of rows) {
    const named = [...image.tags, ...image.digests].find(
      (name) => name.repository === repository && (name.reference.tag ?? '<none>') === tag,
    )
    const target = named?.record.target ?? image.record.manifest
    const known = groups.get(target.digest)
    const group = known ?? { target, image, names: [] }
    if (known === undefined) groups.set(target.digest, group)
    if (tag !== '<none>') group.names.push(`${repository}:${tag}`)
  }
  const all = [...groups.values()]
  return [
    ...all.filter(({ names }) => names.length > 0),
    ...all.filter(({ names }) => names.length === 0),
  ]
}

interface Tree {
  readonly store: Store
  readonly images: readonly ImageView[]
  readonly named: NamedContent
}

async function groupLines(
  { store, images, named }: Tree,
  { target, image, names }: Group,
): Promise<TreeLine[]> {
  const titles = names.length === 0 ? ['<untagged>'] : names
  const above = titles.slice(0, -1).map((title) => ({ title }))
  const last = titles.at(-1) ?? ''
  if (!isIndexType(target.mediaType)) {
    const { sizeBytes } = image
    const contentBytes = sum((await contentOf(store, image.record.manifest, image)).values())
    return [...above, { title: last, id: shortDigest(image.id), sizeBytes, contentBytes }]
  }
  const children: TreeLine[] = []
  const content = new Map<Digest, number>([[target.digest, target.size]])
  let sizeBytes = 0
  for (const entry of await platformEntries(store, target)) {
    const title = formatPlatform(entry.platform, { withVersion: true })
    const below = (await named.imagesBelow(target)).find(
      ({ descriptor }) => descriptor.digest === entry.digest,
    )
    const own = images.find(({ id }) => id === below?.id)
    const parts = await contentOf(store, entry, own)
    for (const [digest, size] of parts) content.set(digest, size)
    const contentBytes = sum(parts.values())
    if (own === undefined) {
      children.push({ title, contentBytes })
      continue
    }
    sizeBytes += own.sizeBytes
    children.push({
      title,
      id: shortDigest(own.id),
      sizeBytes: own.sizeBytes,
      contentBytes,
    })
  }
  const head = {
    title: last,
    id: shortDigest(target.digest),
    sizeBytes,
    contentBytes: sum(content.values()),
  }
  const branches = children.map((child, position) => ({
    ...child,
    title: `${position === children.length - 1 ? '└─' : '├─'} ${child.title}`,
  }))
  return [...above, head, ...branches]
}

/** The image entries of an index; what is below a nested index is that one's own. */
async function platformEntries(
  store: Store,
  target: Descriptor,
): Promise<readonly (Descriptor & Required<Pick<Descriptor, 'platform'>>)[]> {
  const document = parseManifest(await readVerified(store, target), target.mediaType)
  if (document.kind !== 'index') return []
  return document.manifests.flatMap((entry) => {
    const { platform } = entry
    const isShown = platform !== undefined && !isUnknownPlatform(platform) && !isAttestation(entry)
    return isShown ? [{ ...entry, platform }] : []
  })
}

/** Each blob of an image once, with its size. What it has no record of may be here in part, after a kill. */
async function contentOf(
  store: Store,
  entry: Descriptor,
  image: ImageView | undefined,
): Promise<ReadonlyMap<Digest, number>> {
  const manifest = await readVerified(store, entry).catch(() => undefined)
  if (manifest === undefined) return new Map()
  const found = new Map([[entry.digest, entry.size]])
  for (const part of childrenOf(parseManifest(manifest, entry.mediaType))) {
    if (image !== undefined || (await store.has(part))) found.set(part.digest, part.size)
  }
  return found
}

function sum(values: Iterable<number>): number {
  let total = 0
  for (const value of values) total += value
  return total
}

const gap = '   '
const widths = { id: 12, size: 10, content: 12 }

function layOut(blocks: readonly (readonly TreeLine[])[], { stdout, env }: Context): string {
  const titles = blocks.flat().map(({ title }) => displayWidth(escapeTerminal(title)))
  const width = Math.max(12, ...titles)
  const isColoured = stdout.isTerminal && !env['NO_COLOR']
  const header = [
    'IMAGE'.padEnd(width),
    'ID'.padEnd(widths.id),
    'SIZE'.padStart(widths.size),
    'CONTENT SIZE'.padStart(widths.content),
  ].join(gap)
  const line = ({ title, id, sizeBytes, contentBytes }: TreeLine): string => {
    const name = escapeTerminal(title)
    const isBranch = /^[├└]/u.test(name)
    // The upper of several names of one image has no facts of its own.
    if (id === undefined && !isBranch) return `${name}\n`
    const text = [
      name + ' '.repeat(Math.max(0, width - displayWidth(name))),
      (id ?? '').padEnd(widths.id),
      formatSize(sizeBytes ?? 0, 3).padStart(widths.size),
      formatSize(contentBytes ?? 0, 3).padStart(widths.content),
    ].join(gap)
    return id === undefined && isColoured ? `\u001b[2m${text}\u001b[22m\n` : `${text}\n`
  }
  const body = blocks.map((block) => block.map(line).join(''))
  return `${header}\n${body.join('\n')}`
}
