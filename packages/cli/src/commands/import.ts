import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { openImport, openPipe } from '@katman/archive'
import {
  applyChanges,
  type Bytes,
  parseReference,
  type Reference,
  withDefaultTag,
} from '@katman/oci'
import { loadImage } from '@katman/store'
import type { Context } from '../context.ts'
import { CommandFailure, daemonFailure, daemonPrefix, plainFailure } from '../failure.ts'
import { chosenPlatform } from '../host-platform.ts'
import { standardInput } from '../standard-input.ts'

export interface ImportFlags {
  readonly change: readonly string[]
  readonly message: string | undefined
  readonly platform: string | undefined
}

/** `import file|URL|- [REPOSITORY[:TAG]]` */
export async function run(
  context: Context,
  flags: ImportFlags,
  [from = '', name]: readonly string[],
): Promise<void> {
  const names = namesOf(name)
  await using stack = new AsyncDisposableStack()
  const { signal } = context
  const isUrl = /^https?:\/\//.test(from)
  // docker's client opens a file before its engine looks at anything else.
  const file = isUrl || from === '-' ? undefined : await openFile(from, signal, stack)
  try {
    const platform = chosenPlatform(flags.platform, context.env)
    const config = applyChanges(flags.change)
    const created = createdAt(context)
    const shown = isUrl ? await shownAddress(from) : '-'
    const comment = flags.message ?? `Imported from ${shown}`
    const history = [{ created, comment, emptyLayer: false }]
    const bytes =
      file ?? (isUrl ? await openUrl(context, from, shown, stack) : standardInput(context))
    const store = stack.use(await context.openStore())
    const image = { platform, config, created, comment, history }
    const archive = stack.use(await openImport(bytes, { image, signal }))
    for (const { descriptor } of archive.images) {
      const { images } = await loadImage(store, archive, descriptor, names, {
        signal,
        now: context.now,
      })
      for (const { id } of images) context.stdout.write(`${id}\n`)
    }
  } catch (error) {
    throw daemonFailure(error)
  }
}

function namesOf(name: string | undefined): readonly Reference[] {
  if (name === undefined) return []
  let reference: Reference
  try {
    reference = parseReference(name)
  } catch (error) {
    throw plainFailure(error)
  }
  if (reference.digest === undefined) return [withDefaultTag(reference)]
  throw new CommandFailure(`${daemonPrefix}cannot import digest reference`)
}

async function openFile(
  file: string,
  signal: AbortSignal,
  stack: AsyncDisposableStack,
): Promise<Bytes> {
  try {
    if ((await stat(file)).isFIFO()) return await openPipe(file, { signal })
    const handle = stack.use(await open(file, 'r'))
    if ((await handle.stat()).isDirectory())
      throw new CommandFailure(`read ${file}: is a directory`)
    return createReadStream(file, { fd: handle, highWaterMark: 1024 * 1024, autoClose: false })
  } catch (cause) {
    if (cause instanceof CommandFailure) throw cause
    const reason = Reflect.get(Object(cause), 'code') === 'EACCES' ? 'permission denied' : undefined
    throw new CommandFailure(`open ${file}: ${reason ?? 'no such file or directory'}`, { cause })
  }
}

/** Without user, password and query: what is written down may travel with the image. */
async function shownAddress(url: string): Promise<string> {
  const { shownDownload } = await import('@katman/remote')
  return shownDownload(url)
}

async function openUrl(
  context: Context,
  url: string,
  shown: string,
  stack: AsyncDisposableStack,
): Promise<Bytes> {
  const remote = stack.use(await context.openRemote())
  const bytes = await remote.download(url, { signal: context.signal })
  context.stdout.write(`Downloading from ${shown}\n`)
  return bytes
}

/** `SOURCE_DATE_EPOCH` (seconds since 1970) makes an import give the same image each time. */
function createdAt({ env, now }: Context): string {
  const epoch = env['SOURCE_DATE_EPOCH']
  if (epoch === undefined || !/^\d{1,11}$/.test(epoch)) return now().toISOString()
  return new Date(Number(epoch) * 1000).toISOString()
}
