import { CommandFailure } from '../failure.ts'
import type { Context } from '../context.ts'
import { inspectImages } from '../inspect-images.ts'

export interface InspectFlags {
  readonly format: string | undefined
  readonly platform: string | undefined
  readonly size: boolean
  readonly type: string | undefined
}

const types = 'config container image network node plugin secret service task volume'.split(' ')

/** `inspect NAME|ID...`; images are what there is to inspect. */
export async function run(
  context: Context,
  flags: InspectFlags,
  names: readonly string[],
): Promise<void> {
  const { type } = flags
  if (type !== undefined && type !== '' && !types.includes(type)) {
    const known = types.map((word) => `"${word}"`).join(', ')
    throw new CommandFailure(`unknown type: "${type}": must be one of ${known}`)
  }
  const { format, platform } = flags
  await inspectImages(context, names, { format, platform, kind: type || 'any' })
}
