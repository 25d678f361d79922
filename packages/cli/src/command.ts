import type { Context } from './context.ts'
import type { ArgumentCount } from './terminal/argument-count.ts'
import type { FlagSpec, FlagValues } from './terminal/flags.ts'

/** The file of a command, loaded only when it runs. Resolves to the exit code; nothing means 0. */
interface CommandModule<Flags extends readonly FlagSpec[]> {
  run(
    context: Context,
    flags: FlagValues<Flags>,
    args: readonly string[],
  ): Promise<number | undefined | void>
}

/** One row of the command table: parsing, help, suggestions and documents come from it. */
export interface Command<Flags extends readonly FlagSpec[] = readonly FlagSpec[]> {
  /** The words that call it: `['image', 'ls']`. */
  readonly path: readonly string[]
  /** Other words that call it. */
  readonly aliases?: readonly (readonly string[])[]
  /** What follows the words in the usage line: `[OPTIONS] NAME[:TAG|@DIGEST]`. */
  readonly usage: string
  readonly summary: string
  readonly count: ArgumentCount
  readonly flags: Flags
  /** Called by programs only: help and suggestions do not show it. */
  readonly hidden?: boolean
  /** False: options stand before the first argument only. Default true. */
  readonly interspersed?: boolean
  readonly load: () => Promise<CommandModule<Flags>>
}

/** A word that only holds commands: `image`, `system`. */
export interface CommandGroup {
  readonly path: readonly string[]
  readonly summary: string
}

/** Forgets the flag types of one command, so that all fit into one table; `parseArguments` made the values. */
export function defineCommand<const Flags extends readonly FlagSpec[]>(
  command: Command<Flags>,
): Command {
  return command as unknown as Command
}
