import { pruneImages, type RemovalLine } from '@katman/store'
import type { Context } from '../context.ts'
import { daemonFailure } from '../failure.ts'
import { parseFilterTime } from '../terminal/go-time.ts'
import { readLine } from '../terminal/prompt.ts'
import { formatSize } from '../terminal/size.ts'
import { collectNow } from './rmi.ts'

export interface ImagePruneFlags {
  readonly all: boolean
  readonly dryRun: boolean
  readonly filter: readonly string[]
  readonly force: boolean
}

/** `image prune` */
export async function run(context: Context, flags: ImagePruneFlags): Promise<void> {
  if (!flags.force && !flags.dryRun && !(await isConfirmed(context, flags.all))) return
  const { lines, sizeBytes } = await prune(context, flags)
  if (!flags.dryRun) await collectNow(context)
  if (lines.length > 0) {
    const title = flags.dryRun ? 'Images that would be deleted:' : 'Deleted Images:'
    context.stdout.write(`${title}\n${lines.map(lineText).join('')}\n`)
  }
  context.stdout.write(
    `${flags.dryRun ? 'Reclaimable space' : 'Total reclaimed space'}: ${formatSize(sizeBytes)}\n`,
  )
}

async function prune(
  context: Context,
  flags: ImagePruneFlags,
): Promise<{ readonly lines: readonly RemovalLine[]; readonly sizeBytes: number }> {
  await using store = await context.openStore()
  try {
    return await pruneImages(store, {
      all: flags.all,
      dryRun: flags.dryRun,
      filters: flags.filter,
      parseTime: (text) => parseFilterTime(text, context.now()),
    })
  } catch (error) {
    throw daemonFailure(error)
  }
}

async function isConfirmed(context: Context, all: boolean): Promise<boolean> {
  const what = all
    ? 'all images without at least one container associated to them.'
    : 'all dangling images.'
  const question = `WARNING! This will remove ${what}\nAre you sure you want to continue? [y/N] `
  const answer = await readLine(context.stdin, context.stdout, question, context.signal)
  return answer.toLowerCase() === 'y'
}

function lineText(line: RemovalLine): string {
  return line.kind === 'untagged' ? `untagged: ${line.name}\n` : `deleted: ${line.digest}\n`
}
