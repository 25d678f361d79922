import type { Platform } from '@katman/oci'
import { findPlatformImage, type HistoryRow, imageHistory, loadImages } from '@katman/store'
import type { Context } from '../context.ts'
import { CommandFailure, daemonFailure, dockerText, plainFailure } from '../failure.ts'
import { typedPlatform } from '../host-platform.ts'
import { ago, shortId } from '../image-rows.ts'
import { shorten } from '../terminal/display-width.ts'
import { renderRows, type RowField } from '../terminal/format-rows.ts'
import { formatRfc3339 } from '../terminal/go-time.ts'
import { formatSize } from '../terminal/size.ts'

export interface HistoryFlags {
  readonly format: string | undefined
  readonly human: boolean
  readonly noTrunc: boolean
  readonly platform: string | undefined
  readonly quiet: boolean
}

type HistoryField = 'ID' | 'CreatedSince' | 'CreatedAt' | 'CreatedBy' | 'Size' | 'Comment'

const createdByWidth = 45

/** `history IMAGE` */
export async function run(
  context: Context,
  flags: HistoryFlags,
  [name = '']: readonly string[],
): Promise<void> {
  const platform = wantedPlatform(flags.platform)
  await using store = await context.openStore()
  let rows: readonly HistoryRow[]
  try {
    const images = await loadImages(store)
    const image = await findPlatformImage(store, images, name, { platform, orLower: true })
    rows = await imageHistory(store, image)
  } catch (error) {
    throw daemonFailure(error)
  }
  try {
    context.stdout.write(await render(rows, flags, context.now()))
  } catch (error) {
    throw plainFailure(error)
  }
}

function wantedPlatform(text: string | undefined): Platform | undefined {
  try {
    return text ? typedPlatform(text) : undefined
  } catch (error) {
    throw new CommandFailure(`invalid platform: ${dockerText(error)}`, { cause: error })
  }
}

function render(rows: readonly HistoryRow[], flags: HistoryFlags, now: Date): Promise<string> {
  const { human, noTrunc } = flags
  const createdAt = (row: HistoryRow): string =>
    row.created === undefined ? '' : formatRfc3339(row.created)
  const fields: Readonly<Record<HistoryField, RowField<HistoryRow>>> = {
    ID: {
      header: 'IMAGE',
      value: (row) => (row.id === undefined ? '<missing>' : shortId(row.id, noTrunc)),
    },
    CreatedSince: {
      header: human ? 'CREATED' : 'CREATED AT',
      value: (row) =>
        human ? (row.created === undefined ? 'N/A' : ago(row.created, now)) : createdAt(row),
    },
    CreatedAt: { header: 'CREATED AT', value: createdAt },
    CreatedBy: {
      header: 'CREATED BY',
      value: (row) => createdBy(row.createdBy, noTrunc),
    },
    Size: {
      header: 'SIZE',
      value: (row) => (human ? formatSize(row.sizeBytes, 3) : String(row.sizeBytes)),
    },
    Comment: { header: 'COMMENT', value: (row) => row.comment },
  }
  return renderRows({
    rows,
    fields,
    defaultTable: ['ID', 'CreatedSince', 'CreatedBy', 'Size', 'Comment'],
    format: flags.format,
    quiet: flags.quiet ? 'ID' : undefined,
    typeName: '*image.historyContext',
  })
}

function createdBy(text: string, noTrunc: boolean): string {
  const line = text.replaceAll('\t', ' ')
  return noTrunc ? line : shorten(line, createdByWidth)
}
