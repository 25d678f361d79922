import type { LayerChange, LayerEntry } from '@katman/layer'
import { formatPlatform, shortDigest } from '@katman/oci'
import type { Context } from '../context.ts'
import { CommandFailure, plainFailure } from '../failure.ts'
import { type ImageLayers, readImageLayers } from '../image-layers.ts'
import { type LayerReport, reportLayers } from '../layer-report.ts'
import { shorten } from '../terminal/display-width.ts'
import { escapeTerminal } from '../terminal/escape.ts'
import { goJson } from '../terminal/go-json.ts'
import { formatSize } from '../terminal/size.ts'
import { formatTable } from '../terminal/table.ts'

export interface LayersFlags {
  readonly files: boolean
  readonly format: string | undefined
  readonly platform: string | undefined
  readonly remote: boolean
}

/** Wasted files that are named without `--files`. */
const shownWaste = 10
const instructionWidth = 60

/** `layers IMAGE` */
export async function run(
  context: Context,
  flags: LayersFlags,
  [name = '']: readonly string[],
): Promise<void> {
  const format = flags.format || 'table'
  if (format !== 'table' && format !== 'json') {
    throw new CommandFailure(`layers: unknown format ${format}: choose 'table' or 'json'`)
  }
  try {
    const image = await readImageLayers(context, {
      name,
      platform: flags.platform,
      remoteOnly: flags.remote,
    })
    const layers = reportLayers(image)
    if (format === 'json') {
      // Names of files are bytes: those that are no UTF-8 stay apart from each other.
      const text = goJson(documentOf(image, layers), '', { keepsSurrogates: true })
      context.stdout.write(`${text}\n`)
    } else context.stdout.write(textOf(image, layers, flags.files))
  } catch (error) {
    throw plainFailure(error)
  }
}

function documentOf(image: ImageLayers, layers: readonly LayerReport[]): unknown {
  return {
    name: image.name,
    place: image.place,
    id: image.id,
    digest: image.manifest.digest,
    platform: formatPlatform(image.config.platform),
    ...totalsOf(layers),
    layers: layers.map((layer) => ({ ...layer, entries: layer.entries.map(entryJson) })),
  }
}

/** As the archive says it, attributes in base64. */
function entryJson({ xattrs, ...entry }: LayerEntry): unknown {
  if (xattrs === undefined) return entry
  const texts = Array.from(xattrs, ([name, value]) => [name, Buffer.from(value).toString('base64')])
  return { ...entry, xattrs: Object.fromEntries(texts) }
}

function totalsOf(layers: readonly LayerReport[]): {
  readonly sizeBytes: number
  readonly downloadBytes: number
  readonly wastedBytes: number
} {
  const sum = (value: (layer: LayerReport) => number): number =>
    layers.reduce((total, layer) => total + value(layer), 0)
  return {
    sizeBytes: sum((layer) => layer.sizeBytes),
    downloadBytes: sum((layer) => layer.downloadBytes),
    wastedBytes: sum((layer) => layer.wastedBytes),
  }
}

function textOf(image: ImageLayers, layers: readonly LayerReport[], files: boolean): string {
  const platform = formatPlatform(image.config.platform)
  const head = `${image.name} ${shortDigest(image.id)} ${platform}`
  return [
    `${escapeTerminal(head)}${image.place === 'registry' ? ' (read from its registry)' : ''}\n\n`,
    layerTable(layers),
    `\n${totalLine(layers)}\n`,
    files ? layers.map(fileList).join('') : wasteTable(layers),
  ].join('')
}

function layerTable(layers: readonly LayerReport[]): string {
  const header = 'LAYER,DIFF ID,SIZE,ADDED,CHANGED,DELETED,HIDDEN,WASTED,CREATED BY'.split(',')
  return formatTable([
    header,
    ...layers.map((layer) => [
      String(layer.layer),
      shortDigest(layer.diffID),
      formatSize(layer.sizeBytes, 3),
      String(layer.added.length),
      String(layer.changed.length),
      String(layer.deleted.length),
      String(layer.hidden.length),
      formatSize(layer.wastedBytes, 3),
      instruction(layer.createdBy),
    ]),
  ])
}

/** One line, cut where a long script would break the table. */
function instruction(text: string): string {
  return shorten(escapeTerminal(text.replaceAll(/\s+/gu, ' ').trim()), instructionWidth)
}

function totalLine(layers: readonly LayerReport[]): string {
  const { sizeBytes, downloadBytes, wastedBytes } = totalsOf(layers)
  const count = layers.length === 1 ? '1 layer' : `${layers.length} layers`
  const share = sizeBytes === 0 ? '' : ` (${((wastedBytes / sizeBytes) * 100).toFixed(1)} %)`
  return `${count}, ${formatSize(sizeBytes, 3)} of files, ${formatSize(downloadBytes, 3)} to download, ${formatSize(wastedBytes, 3)} wasted${share}`
}

/** The largest files that a higher layer replaces or deletes. */
function wasteTable(layers: readonly LayerReport[]): string {
  const hidden = layers
    .flatMap(({ layer, hidden: paths }) => paths.map((path) => ({ ...path, layer })))
    .filter(({ type }) => type !== 'directory')
    .toSorted((left, right) => right.size - left.size)
  if (hidden.length === 0) return ''
  const rows = hidden
    .slice(0, shownWaste)
    .map(({ layer, size, by, byLayer, path }) => [
      String(layer),
      formatSize(size, 3),
      `${by} by ${byLayer}`,
      shownPath(path),
    ])
  const rest = hidden.length - rows.length
  const more = rest > 0 ? `and ${rest} more: --files lists them\n` : ''
  return `\n${formatTable([['LAYER', 'SIZE', 'HIDDEN', 'FILE'], ...rows])}${more}`
}

/** What a layer does, one path a line: A added, C changed, D deleted, H hidden by a higher layer. */
function fileList(layer: LayerReport): string {
  const row = (mark: string, { path, type, size }: LayerChange, note = ''): string[] => [
    mark,
    type === 'file' ? formatSize(size, 3) : type,
    note,
    shownPath(path),
  ]
  return `\nLayer ${layer.layer} ${layer.diffID}\n${formatTable([
    ...layer.added.map((path) => row('A', path)),
    ...layer.changed.map((path) => row('C', path)),
    ...layer.deleted.map((path) => row('D', path, `from ${path.layer}`)),
    ...layer.hidden.map((path) => row('H', path, `${path.by} by ${path.byLayer}`)),
  ])}`
}

function shownPath(path: string): string {
  return path === '.' ? '/' : escapeTerminal(`/${path}`)
}
