import { type Digest, isKatmanError, type Platform } from '@katman/oci'
import {
  expandPattern,
  type Removal,
  type RemovalLine,
  removeImage,
  removePlatforms,
  type Store,
} from '@katman/store'
import type { Context } from '../context.ts'
import { CommandFailure, daemonFailure, daemonPrefix, plainFailure } from '../failure.ts'
import { hostPlatform } from '../host-platform.ts'
import { parsePlatforms } from '../platform-list.ts'

export interface RmiFlags {
  readonly dryRun: boolean
  readonly force: boolean
  /** Images have no parents in this store, so there is nothing it would keep. */
  readonly noPrune: boolean
  readonly platform: readonly string[]
}

/** `rmi IMAGE...` */
export async function run(
  context: Context,
  flags: RmiFlags,
  texts: readonly string[],
): Promise<void> {
  const platforms = typedPlatforms(flags.platform)
  const failures: CommandFailure[] = []
  const forgotten: Digest[] = []
  let isMissOnly = true
  {
    await using store = await context.openStore()
    for (const text of texts) {
      const names = await expanded(store, text, failures)
      if (names === undefined) isMissOnly = false
      for (const name of names ?? []) {
        try {
          const { lines, forgotten: some } = await remove(store, name, platforms, flags)
          forgotten.push(...some)
          context.stdout.write(lines.map((line) => removalText(line, flags.dryRun)).join(''))
        } catch (error) {
          isMissOnly &&= isKatmanError(error, 'IMAGE_UNKNOWN')
          failures.push(daemonFailure(error))
        }
      }
    }
  }
  if (!flags.dryRun) await collectNow(context, forgotten)
  if (failures.length === 0) return
  const message = failures.map((failure) => failure.message).join('\n')
  throw new CommandFailure(message, {
    exitCode: flags.force && isMissOnly ? 0 : 1,
    cause: failures[0]?.cause,
  })
}

function typedPlatforms(texts: readonly string[]): readonly Platform[] {
  try {
    return parsePlatforms(texts)
  } catch (error) {
    throw plainFailure(error)
  }
}

function remove(
  store: Store,
  name: string,
  platforms: readonly Platform[],
  { dryRun, force }: RmiFlags,
): Promise<Removal> {
  return platforms.length === 0
    ? removeImage(store, name, { dryRun, force })
    : removePlatforms(store, name, platforms, { dryRun, force, shown: hostPlatform() })
}

/** Names of a quoted pattern; one that matches nothing is a miss, undefined stands for one that is none. */
async function expanded(
  store: Store,
  text: string,
  failures: CommandFailure[],
): Promise<readonly string[] | undefined> {
  try {
    const names = await expandPattern(store, text)
    if (names.length === 0) {
      failures.push(new CommandFailure(`${daemonPrefix}No image matches: ${text}`))
    }
    return names
  } catch (error) {
    failures.push(daemonFailure(error))
    return undefined
  }
}

function removalText(line: RemovalLine, isDry: boolean): string {
  const what = line.kind === 'untagged' ? `Untagged: ${line.name}` : `Deleted: ${line.digest}`
  return `${isDry ? 'Would be ' : ''}${what}\n`
}

/** Content goes with its last image; a handle of its own, for one keeps what it has seen. */
export async function collectNow(context: Context, without: readonly Digest[] = []): Promise<void> {
  await using store = await context.openStore()
  await store.collectGarbage({ minAgeMs: 0, without, signal: context.signal })
}
