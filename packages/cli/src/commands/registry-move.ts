import path from 'node:path'
import { KatmanError } from '@katman/oci'
import type { Context } from '../context.ts'
import { plainFailure } from '../failure.ts'
import { defaultData } from '../registry/server-options.ts'
import { formatSize } from '../terminal/size.ts'

export interface MoveFlags {
  readonly cancel: boolean
  readonly data: string
  readonly toDb: string
  readonly toStorage: string
}

/** `registry move` */
export async function run(context: Context, flags: MoveFlags): Promise<void> {
  // Passwords in a command line are seen by everybody on the machine.
  const database = flags.toDb || context.env['KATMAN_REGISTRY_DB']
  const storage = flags.toStorage || context.env['KATMAN_REGISTRY_STORAGE']
  const folder = path.resolve(flags.data || defaultData(context))
  const { cancelMove, moveRegistry, openMoveTarget } = await import('@katman/registry')
  try {
    if (flags.cancel) {
      await cancelMove(folder)
      context.stdout.write(`${folder} serves and changes again\n`)
      return
    }
    if (!database || !storage) {
      throw new KatmanError('REGISTRY_CONFIG_INVALID', '--to-db or --to-storage is missing', {
        hint: 'give postgres://… and s3://…, or set KATMAN_REGISTRY_DB and KATMAN_REGISTRY_STORAGE',
      })
    }
    await using target = await openMoveTarget({ database, storage })
    const result = await moveRegistry(folder, target, {
      report: (line) => {
        context.stderr.write(`${line}\n`)
      },
    })
    const { rows, objects, bytes, pauseMs } = result
    context.stdout.write(
      `Moved: ${rows} rows, ${objects} blobs (${formatSize(bytes, 4)}); nobody could write for ${(pauseMs / 1000).toFixed(1)} s.\n` +
        'The folder can be read and not be changed any more; send clients to the replicas now.\n',
    )
  } catch (error) {
    throw plainFailure(error)
  }
}
