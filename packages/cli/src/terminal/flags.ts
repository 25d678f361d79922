/** The kinds of flag. `optional` is a string flag that may stand without a value (`--cache` or `--cache=x`). */
type FlagType = 'bool' | 'string' | 'int' | 'list' | 'optional'

/** One flag of a command: the row that parsing, help and completion are made from. */
export interface FlagSpec {
  /** Long name without dashes: `all-tags`. The parsed value is found under `allTags`. */
  readonly name: string
  /** One letter: `a`. */
  readonly short?: string
  readonly type: FlagType
  /** Value when the flag is absent. Without it: bools are false, lists empty, all others undefined. */
  readonly default?: boolean | string | number | readonly string[]
  /** Value of an `optional` flag given without one. Default: the empty string. */
  readonly bare?: string
  /** The word for the value in help. Default: the type (`string`, `int`, `list`). */
  readonly value?: string
  /** Help text; `\n` starts a new line. */
  readonly help: string
  /** Parsed, but not shown in help. */
  readonly hidden?: boolean
  /** Environment variable that gives the value when the flag is absent and the variable is not empty. */
  readonly env?: string
  /** Says why a value is refused (shown after `invalid argument … for … flag: `), or undefined. */
  readonly check?: (value: string) => string | undefined
}

/** Keeps the literal types of a flag table, so that {@link FlagValues} can tell every value's type. */
export function defineFlags<const Flags extends readonly FlagSpec[]>(flags: Flags): Flags {
  return flags
}

type CamelCase<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name

type FlagValue<Flag extends FlagSpec> = Flag['type'] extends 'bool'
  ? boolean
  : Flag['type'] extends 'list'
    ? readonly string[]
    : Flag['type'] extends 'int'
      ? WithDefault<Flag, number>
      : WithDefault<Flag, string>

type WithDefault<Flag, Value> = Flag extends { readonly default: string | number }
  ? Value
  : Value | undefined

/** The parsed values of a flag table, under the camel-case names of its flags. */
export type FlagValues<Flags extends readonly FlagSpec[]> = {
  readonly [Flag in Flags[number] as CamelCase<Flag['name']>]: FlagValue<Flag>
}

/** `all-tags` → `allTags`: the key of a flag's value. */
export function flagKey(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())
}
