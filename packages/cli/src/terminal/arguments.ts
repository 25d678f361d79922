import { KatmanError } from '@katman/oci'
import { flagKey, type FlagSpec, type FlagValues } from './flags.ts'
import { parseGoBool, parseGoInt } from './go-parse.ts'
import { quoteGo, quoteGoRune } from './go-quote.ts'

/** Options of {@link parseArguments}. */
export interface ParseOptions {
  /** False: the first positional word ends the flags, as for `run IMAGE COMMAND --its-flag`. Default true. */
  readonly interspersed?: boolean
  /** Where flags with `env` find their value. Default: nothing. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** The words after a command, read. */
export interface ParsedArguments<Flags extends readonly FlagSpec[]> {
  readonly values: FlagValues<Flags>
  readonly positionals: readonly string[]
  /** How many positionals stood before `--`; undefined without `--`. */
  readonly positionalsBeforeDash: number | undefined
  /** Names of the flags that stand on the command line (not those from defaults or the environment). */
  readonly given: ReadonlySet<string>
  /** `--help` (or `-h`, where no flag owns it) was given. */
  readonly help: boolean
  /** Lines docker prints before anything else, such as the one about `-h`. */
  readonly notices: readonly string[]
}

/**
 * Reads a command line in the grammar docker's flags have: `-it`, `-d=false`, `--flag value`, `--flag=value`,
 * `-fvalue`, `--` ends the flags. Throws `USAGE_FLAG` (exit code 125) with docker's text for an unknown flag, a
 * missing or a refused value.
 */
export function parseArguments<const Flags extends readonly FlagSpec[]>(
  flags: Flags,
  words: readonly string[],
  options: ParseOptions = {},
): ParsedArguments<Flags> {
  const reader = createReader(flags)
  const positionals: string[] = []
  let positionalsBeforeDash: number | undefined
  const rest = [...words]
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') {
      positionalsBeforeDash = positionals.length
      positionals.push(...rest.splice(0))
    } else if (word.length < 2 || !word.startsWith('-')) {
      positionals.push(word)
      if (options.interspersed === false) positionals.push(...rest.splice(0))
    } else if (word.startsWith('--')) {
      reader.long(word, rest)
    } else {
      reader.short(word.slice(1), rest)
    }
  }
  return {
    // The table's types tell what `createReader` stored under each key.
    values: reader.values(options.env ?? {}) as FlagValues<Flags>,
    positionals,
    positionalsBeforeDash,
    given: new Set(reader.given.keys()),
    help: reader.help(),
    notices: reader.notices,
  }
}

const helpFlag: FlagSpec = { name: 'help', type: 'bool', help: 'Print usage' }

type Value = boolean | number | string | readonly string[]

function createReader(flags: readonly FlagSpec[]) {
  const all = flags.some((flag) => flag.name === 'help') ? flags : [...flags, helpFlag]
  const byName = new Map(all.map((flag) => [flag.name, flag]))
  const byShort = new Map(all.flatMap((flag) => (flag.short ? [[flag.short, flag] as const] : [])))
  const given = new Map<string, Value>()
  const notices: string[] = []

  function long(word: string, rest: string[]): void {
    const body = word.slice(2)
    if (/^[-=]/.test(body)) throw flagError(`bad flag syntax: ${word}`)
    const equals = body.indexOf('=')
    const name = equals < 0 ? body : body.slice(0, equals)
    const flag = byName.get(name)
    if (flag === undefined) throw flagError(`unknown flag: --${name}`)
    if (equals >= 0) return set(flag, body.slice(equals + 1))
    const next = bareValue(flag) ?? rest.shift()
    if (next === undefined) throw flagError(`flag needs an argument: ${word}`)
    set(flag, next)
  }

  function short(letters: string, rest: string[]): void {
    for (let tail = letters; tail !== '';) {
      const letter = String.fromCodePoint(tail.codePointAt(0) ?? 0)
      const after = tail.slice(letter.length)
      const isHelp = letter === 'h' && !byShort.has(letter)
      const flag = isHelp ? helpFlag : byShort.get(letter)
      if (flag === undefined) {
        throw flagError(`unknown shorthand flag: ${quoteFirstByte(letter)} in -${tail}`)
      }
      if (isHelp) notices.push('Flag shorthand -h has been deprecated, use --help')
      // A lone `=` is no value, as pflag wants at least one character behind it.
      if (after.length > 1 && after.startsWith('=')) return set(flag, after.slice(1))
      const bare = bareValue(flag)
      if (bare !== undefined) {
        set(flag, bare)
        tail = after
        continue
      }
      const value = after === '' ? rest.shift() : after
      if (value === undefined) {
        throw flagError(`flag needs an argument: ${quoteGoRune(letter)} in -${tail}`)
      }
      return set(flag, value)
    }
  }

  function set(flag: FlagSpec, text: string): void {
    const value = readValue(flag, text)
    const before = given.get(flag.name)
    given.set(flag.name, flag.type === 'list' && Array.isArray(before) ? [...before, text] : value)
  }

  function values(env: Readonly<Record<string, string | undefined>>): Record<string, unknown> {
    const found: Record<string, unknown> = Object.create(null)
    for (const flag of flags) {
      found[flagKey(flag.name)] = given.get(flag.name) ?? fromEnvironment(flag, env) ?? absent(flag)
    }
    return found
  }

  return { long, short, values, given, notices, help: () => given.get('help') === true }
}

/** The value of a flag that stands alone; undefined when it needs the next word. */
function bareValue(flag: FlagSpec): string | undefined {
  if (flag.type === 'bool') return 'true'
  return flag.type === 'optional' ? (flag.bare ?? '') : undefined
}

function readValue(flag: FlagSpec, text: string): Value {
  if (flag.type === 'bool' || flag.type === 'int') {
    const value = flag.type === 'bool' ? parseGoBool(text) : parseGoInt(text)
    if (typeof value === 'object') throw refused(flag, text, value.reason)
    return value
  }
  const reason = flag.check?.(text)
  if (reason !== undefined) throw refused(flag, text, reason)
  return flag.type === 'list' ? [text] : text
}

function fromEnvironment(
  flag: FlagSpec,
  env: Readonly<Record<string, string | undefined>>,
): Value | undefined {
  const text = flag.env === undefined ? undefined : env[flag.env]
  return text === undefined || text === '' ? undefined : readValue(flag, text)
}

function absent(flag: FlagSpec): Value | undefined {
  if (flag.default !== undefined) return flag.default
  if (flag.type === 'bool') return false
  return flag.type === 'list' ? [] : undefined
}

function refused(flag: FlagSpec, text: string, reason: string): KatmanError {
  const shown = flag.short === undefined ? `--${flag.name}` : `-${flag.short}, --${flag.name}`
  return flagError(`invalid argument ${quoteGo(text)} for "${shown}" flag: ${reason}`)
}

/** pflag looks at the first byte only, so a letter beyond ASCII is shown as its first UTF-8 byte. */
function quoteFirstByte(letter: string): string {
  return quoteGoRune(String.fromCodePoint(new TextEncoder().encode(letter)[0] ?? 0))
}

function flagError(message: string): KatmanError {
  return new KatmanError('USAGE_FLAG', message, { details: { exitCode: 125 } })
}
