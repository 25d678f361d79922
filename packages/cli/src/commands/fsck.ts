import { parseReference } from '@katman/oci'
import type { Context } from '../context.ts'
import { escapeTerminal } from '../terminal/escape.ts'

export interface FsckFlags {
  readonly format: string | undefined
  readonly hash: boolean
  readonly repair: boolean
}

/** `fsck`: exit code 0 clean, 1 repaired, 2 damage left. */
export async function run(context: Context, flags: FsckFlags): Promise<number> {
  await using store = await context.openStore()
  await using remote = await context.openRemote()
  const result = await store.check({
    level: flags.hash ? 'hash' : 'quick',
    signal: context.signal,
    ...(flags.repair
      ? {
          repair: {
            fetch: async (descriptor, from) => {
              const repository = remote.repository(parseReference(from))
              return repository.open(descriptor, { signal: context.signal })
            },
          },
        }
      : {}),
  })
  const left = result.problems.filter((problem) => !problem.repaired)
  if (flags.format === 'json') {
    context.stdout.write(`${JSON.stringify(result)}\n`)
  } else {
    for (const problem of result.problems) {
      const state = problem.repaired ? 'repaired' : 'damaged'
      context.stdout.write(
        `${state}: ${problem.kind} ${escapeTerminal(problem.path)}: ${escapeTerminal(problem.problem)}\n`,
      )
    }
    context.stdout.write(`${summary(result.checked, result.problems.length, left.length, flags)}\n`)
  }
  if (left.length > 0) return 2
  return result.problems.length > 0 ? 1 : 0
}

function summary(checked: number, found: number, left: number, flags: FsckFlags): string {
  const files = `${checked} ${checked === 1 ? 'file' : 'files'} checked`
  if (found === 0) return `${files}, clean`
  if (left === 0) return `${files}, ${found} repaired`
  // The same look as this one, or it would not see the damage.
  const next = flags.repair
    ? 'pull the images again'
    : `run: katman fsck${flags.hash ? ' --hash' : ''} --repair`
  return `${files}, ${found} damaged, ${left} left; ${next}`
}
