import { type ImageRow, listImages, loadImages } from '@katman/store'
import type { Context } from '../context.ts'
import { CommandFailure, daemonFailure, plainFailure } from '../failure.ts'
import { imageRowFields, shortId } from '../image-rows.ts'
import { parseFilterTime } from '../terminal/go-time.ts'
import { renderRows } from '../terminal/format-rows.ts'

export interface ImagesFlags {
  readonly all: boolean
  readonly digests: boolean
  readonly filter: readonly string[]
  readonly format: string | undefined
  readonly noTrunc: boolean
  readonly quiet: boolean
  readonly tree: boolean
}

/** Words people type behind `images` when they mean the group. */
const groupWords = new Set(
  'build history import inspect list load ls prune pull push rm save tag'.split(' '),
)

/** `images [REPOSITORY[:TAG]]` */
export async function run(
  context: Context,
  flags: ImagesFlags,
  [name]: readonly string[],
): Promise<void> {
  if (flags.tree) {
    checkTreeFlags(flags)
    const { renderTree } = await import('../image-tree.ts')
    await using store = await context.openStore()
    context.stdout.write(await renderTree(store, context, { name, filters: flags.filter }))
    return
  }
  await using store = await context.openStore()
  const isDefault = flags.format === undefined || flags.format === 'table'
  const rows = await listImages(await loadImages(store), {
    name,
    filters: flags.filter,
    digests: flags.digests && isDefault,
    parseTime: (text) => parseFilterTime(text, context.now()),
  }).catch((error: unknown) => {
    throw daemonFailure(error)
  })
  context.stdout.write(await render(rows, flags, context))
  if (rows.length === 0 && name !== undefined && groupWords.has(name)) {
    context.stderr.write(
      `\nNo images found matching "${name}": did you mean "${context.program} image ${name}"?\n`,
    )
  }
}

async function render(
  rows: readonly ImageRow[],
  flags: ImagesFlags,
  context: Context,
): Promise<string> {
  if (flags.format === 'raw') return rawText(rows, flags, context)
  const fields = imageRowFields({ noTrunc: flags.noTrunc, now: context.now() })
  try {
    return await renderRows({
      rows,
      fields,
      defaultTable: flags.digests
        ? ['Repository', 'Tag', 'Digest', 'ID', 'CreatedSince', 'Size']
        : ['Repository', 'Tag', 'ID', 'CreatedSince', 'Size'],
      format: flags.format,
      quiet: flags.quiet ? 'ID' : undefined,
      typeName: '*formatter.imageContext',
    })
  } catch (error) {
    throw plainFailure(error)
  }
}

function rawText(rows: readonly ImageRow[], flags: ImagesFlags, context: Context): string {
  const fields = imageRowFields({ noTrunc: flags.noTrunc, now: context.now() })
  if (flags.quiet) {
    return rows.map((row) => `image_id: ${shortId(row.image.id, flags.noTrunc)}\n`).join('')
  }
  return rows
    .map((row) =>
      [
        `repository: ${row.repository}`,
        `tag: ${row.tag}`,
        ...(flags.digests ? [`digest: ${row.digest}`] : []),
        `image_id: ${shortId(row.image.id, flags.noTrunc)}`,
        `created_at: ${fields.CreatedAt.value(row)}`,
        `virtual_size: ${fields.Size.value(row)}`,
        '',
        '',
      ].join('\n'),
    )
    .join('')
}

function checkTreeFlags(flags: ImagesFlags): void {
  const used = [
    ['--quiet', flags.quiet],
    ['--no-trunc', flags.noTrunc],
    ['--show-digest', flags.digests],
    ['--format', flags.format !== undefined],
  ] as const
  for (const [flag, isUsed] of used) {
    if (isUsed) throw new CommandFailure(`${flag} is not yet supported with --tree`)
  }
}
