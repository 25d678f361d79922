import { isKatmanError } from '@katman/oci'
import { expandPattern, type RemovalLine, removeImage, type Store } from '@katman/store'
import type { Context } from '../context.ts'
import { CommandFailure, daemonFailure, daemonPrefix } from '../failure.ts'

export interface RmiFlags {
  readonly dryRun: boolean
  readonly force: boolean
  /** Images have no parents in this store, so there is nothing it would keep. */
  readonly noPrune: boolean
}

/** `rmi IMAGE...` */
export async function run(
  context: Context,
  flags: RmiFlags,
  names: readonly string[],
): Promise<void> {
  const failures: CommandFailure[] = []
  let isMissOnly = true
  {
    await using store = await context.openStore()
    for (const text of names) {
      for (const name of await expanded(store, text, failures)) {
        try {
          const { lines } = await removeImage(store, name, flags)
          context.stdout.write(lines.map((line) => removalText(line, flags.dryRun)).join(''))
        } catch (error) {
          isMissOnly &&= isKatmanError(error, 'IMAGE_UNKNOWN')
          failures.push(daemonFailure(error))
        }
      }
    }
  }
  if (!flags.dryRun) await collectNow(context)
  if (failures.length === 0) return
  const message = failures.map((failure) => failure.message).join('\n')
  throw new CommandFailure(message, {
    exitCode: flags.force && isMissOnly ? 0 : 1,
    cause: failures[0]?.cause,
  })
}

/** Names of a quoted pattern; one that matches nothing is a miss. */
async function expanded(
  store: Store,
  text: string,
  failures: CommandFailure[],
): Promise<readonly string[]> {
  try {
    const names = await expandPattern(store, text)
    if (names.length === 0) {
      failures.push(new CommandFailure(`${daemonPrefix}No image matches: ${text}`))
    }
    return names
  } catch (error) {
    failures.push(daemonFailure(error))
    return []
  }
}

function removalText(line: RemovalLine, isDry: boolean): string {
  const what = line.kind === 'untagged' ? `Untagged: ${line.name}` : `Deleted: ${line.digest}`
  return `${isDry ? 'Would be ' : ''}${what}\n`
}

/** Content goes with its last image; a handle of its own, for one keeps what it has seen. */
export async function collectNow(context: Context): Promise<void> {
  await using store = await context.openStore()
  await store.collectGarbage({ minAgeMs: 0, signal: context.signal })
}
