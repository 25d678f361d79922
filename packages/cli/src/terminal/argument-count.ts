import { KatmanError } from '@katman/oci'

/** How many positional words a command takes. `max` undefined: any number from `min` on. */
export interface ArgumentCount {
  readonly min: number
  readonly max?: number
}

/**
 * Throws `USAGE_ARGS` (exit code 1) when a command got the wrong number of words. The message is docker's first line,
 * without the program's name before it: `'docker pull' requires 1 argument`. `details.pointer` is the word docker
 * starts its pointer to `--help` with, which depends on the rule.
 */
export function checkArgumentCount(
  commandPath: string,
  count: ArgumentCount,
  positionals: readonly string[],
): void {
  const { min, max = Infinity } = count
  if (positionals.length >= min && positionals.length <= max) return
  const { text, pointer } = rule(min, max)
  throw new KatmanError('USAGE_ARGS', `'${commandPath}' ${text}`, {
    details: { exitCode: 1, pointer, commandPath },
  })
}

function rule(min: number, max: number): { readonly text: string; readonly pointer: string } {
  if (max === 0) return { text: 'accepts no arguments', pointer: 'Run' }
  if (min === max) return { text: `requires ${words(min)}`, pointer: 'Run' }
  if (max === Infinity) return { text: `requires at least ${words(min)}`, pointer: 'See' }
  // docker 28 prints this misspelt word, and scripts compare whole outputs.
  if (min === 0) return { text: `requires at most ${words(max)}`, pointer: 'SRun' }
  return { text: `requires at least ${min} and at most ${words(max)}`, pointer: 'Run' }
}

function words(count: number): string {
  return count === 1 ? '1 argument' : `${count} arguments`
}
