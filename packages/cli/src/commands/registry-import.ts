import { lstat } from 'node:fs/promises'
import path from 'node:path'
import type { ImportEvent, ImportResult, OpenRegistry } from '@katman/registry'
import type { Context } from '../context.ts'
import { CommandFailure, plainFailure } from '../failure.ts'
import { readSettings } from '../registry/read-settings.ts'
import { toServerOptions } from '../registry/server-options.ts'
import { escapeTerminal } from '../terminal/escape.ts'
import { formatSize } from '../terminal/size.ts'

/** `registry import FOLDER [REPOSITORY]` */
export async function run(
  context: Context,
  flags: Readonly<Record<string, unknown>>,
  [folder = '', repository]: readonly string[],
): Promise<void> {
  const given =
    typeof flags['config'] === 'string' ? flags['config'] : context.env['KATMAN_REGISTRY_CONFIG']
  const settings = await readSettings(flags, context.env, given === '' ? undefined : given)
  const { registry: options } = toServerOptions(settings, context)
  const { openRegistry } = await import('@katman/registry')
  try {
    await using registry = await openRegistry(options)
    const result = await bringIn(registry, context, flags, { folder, repository })
    finish(context, result, flags['dryRun'] === true)
  } catch (error) {
    throw plainFailure(error)
  }
}

interface From {
  readonly folder: string
  readonly repository: string | undefined
}

async function bringIn(
  { content }: OpenRegistry,
  context: Context,
  flags: Readonly<Record<string, unknown>>,
  { folder, repository }: From,
): Promise<ImportResult> {
  const { importDistribution, importLayout } = await import('@katman/registry')
  const { only, prefix } = flags
  const dryRun = flags['dryRun'] === true
  const { signal } = context
  const onEvent = (event: ImportEvent): void => tell(context, event, flags['quiet'] === true)
  const isLayout = (await lstat(path.join(folder, 'oci-layout')).catch(() => undefined))?.isFile()
  if (isLayout === true) {
    if (repository === undefined) {
      throw new CommandFailure(
        `${folder} is an OCI layout\nhint: say into which repository: ${context.program} registry import ${folder} team/app`,
      )
    }
    return importLayout(content, folder, repository, { dryRun, onEvent, signal })
  }
  if (repository !== undefined) {
    throw new CommandFailure(
      `${folder} is no OCI layout, so its repositories have their names\nhint: choose some with --only, and --prefix puts a name before`,
    )
  }
  return importDistribution(content, folder, {
    ...(Array.isArray(only) ? { only: only.map(String) } : {}),
    ...(typeof prefix === 'string' ? { prefix } : {}),
    copy: flags['copy'] === true,
    dryRun,
    onEvent,
    signal,
  })
}

function tell({ stderr, stdout }: Context, event: ImportEvent, isQuiet: boolean): void {
  if (event.type === 'failed') {
    const what = [event.repository, event.reference].filter((part) => part !== undefined).join(':')
    stderr.write(`${escapeTerminal(`failed ${what}: ${event.message}`)}\n`)
  } else if (event.type === 'image' && !isQuiet) {
    const name =
      event.tag === undefined
        ? `${event.repository}@${event.digest.slice(0, 19)}`
        : `${event.repository}:${event.tag}`
    const news =
      event.movedBlobs === 0
        ? 'no new blobs'
        : `${counted(event.movedBlobs, 'blob', 'blobs')}, ${formatSize(event.movedBytes)}`
    stdout.write(`${escapeTerminal(name)}  ${news}\n`)
  }
}

function finish({ stdout }: Context, result: ImportResult, isDryRun: boolean): void {
  const { failures, images, movedBlobs, movedBytes, repositories } = result
  const moved = isDryRun
    ? 'nothing was changed'
    : `${counted(movedBlobs, 'blob', 'blobs')} (${formatSize(movedBytes)})`
  const found = `${counted(repositories, 'repository', 'repositories')}, ${counted(images, 'image', 'images')}`
  stdout.write(`${found}: ${moved}\n`)
  if (failures.length > 0) throw new CommandFailure(`${failures.length} failed`)
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`
}
