import { type ImagesUsage, imagesUsage, loadImages } from '@katman/store'
import type { Context } from '../context.ts'
import { plainFailure } from '../failure.ts'
import { ago, shortId } from '../image-rows.ts'
import { renderRows } from '../terminal/format-rows.ts'
import { formatSize } from '../terminal/size.ts'

export interface SystemDfFlags {
  readonly format: string | undefined
  readonly verbose: boolean
}

interface Row {
  readonly type: string
  readonly count: number
  readonly bytes: number
}

/** `system df` */
export async function run(context: Context, flags: SystemDfFlags): Promise<void> {
  await using store = await context.openStore()
  const usage = await imagesUsage(store, await loadImages(store))
  try {
    context.stdout.write(
      flags.verbose && flags.format === undefined
        ? await verboseText(usage, context.now())
        : await summaryText(usage, flags.format),
    )
  } catch (error) {
    throw plainFailure(error)
  }
}

function summaryText(usage: ImagesUsage, format: string | undefined): Promise<string> {
  const rows: readonly Row[] = [
    { type: 'Images', count: usage.images.length, bytes: usage.totalBytes },
    { type: 'Containers', count: 0, bytes: 0 },
    { type: 'Local Volumes', count: 0, bytes: 0 },
    { type: 'Build Cache', count: 0, bytes: 0 },
  ]
  return renderRows({
    rows,
    fields: {
      Type: { header: 'TYPE', value: (row) => row.type },
      TotalCount: { header: 'TOTAL', value: (row) => String(row.count) },
      Active: { header: 'ACTIVE', value: () => '0' },
      Size: { header: 'SIZE', value: (row) => formatSize(row.bytes) },
      Reclaimable: {
        header: 'RECLAIMABLE',
        value: (row) => formatSize(row.bytes) + (row.bytes > 0 ? ' (100%)' : ''),
      },
    },
    defaultTable: ['Type', 'TotalCount', 'Active', 'Size', 'Reclaimable'],
    format,
    typeName: '*formatter.diskUsageContext',
  })
}

async function verboseText(usage: ImagesUsage, now: Date): Promise<string> {
  const images = await renderRows({
    rows: usage.images,
    fields: {
      Repository: { header: 'REPOSITORY', value: ({ image }) => nameOf(image).repository },
      Tag: { header: 'TAG', value: ({ image }) => nameOf(image).tag },
      ID: { header: 'IMAGE ID', value: ({ image }) => shortId(image.id, false) },
      CreatedSince: { header: 'CREATED', value: ({ image }) => ago(image.created, now) },
      Size: { header: 'SIZE', value: ({ image }) => formatSize(image.sizeBytes, 3) },
      SharedSize: {
        header: 'SHARED SIZE',
        value: ({ sharedBytes }) => formatSize(sharedBytes),
      },
      UniqueSize: {
        header: 'UNIQUE SIZE',
        value: ({ uniqueBytes }) => formatSize(uniqueBytes),
      },
      Containers: { header: 'CONTAINERS', value: () => '0' },
    },
    defaultTable: [
      'Repository',
      'Tag',
      'ID',
      'CreatedSince',
      'Size',
      'SharedSize',
      'UniqueSize',
      'Containers',
    ],
    typeName: '*formatter.imageContext',
  })
  return [
    'Images space usage:',
    '',
    images,
    'Containers space usage:',
    '',
    'CONTAINER ID   IMAGE     COMMAND   LOCAL VOLUMES   SIZE      CREATED   STATUS    NAMES',
    '',
    'Local Volumes space usage:',
    '',
    'VOLUME NAME   LINKS     SIZE',
    '',
    'Build cache usage: 0B',
    '',
    'CACHE ID   CACHE TYPE   SIZE      CREATED   LAST USED   USAGE     SHARED',
    '',
  ].join('\n')
}

function nameOf(image: ImagesUsage['images'][number]['image']): {
  readonly repository: string
  readonly tag: string
} {
  const [tag] = image.tags
  const [name] = [...image.tags, ...image.digests]
  return {
    repository: name?.repository ?? '<none>',
    tag: tag?.reference.tag ?? '<none>',
  }
}
