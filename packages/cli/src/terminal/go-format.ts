import { formatE, formatF, formatG } from './go-float.ts'
import { quoteGo, quoteGoRune } from './go-quote.ts'
import { isGoMap, isStruct, sortedEntries, typeName } from './go-value.ts'

/** A value as Go's `%v`: `map[a:1 b:2]`, `[a b]`, `<nil>`. */
export function formatValue(value: unknown): string {
  return formatVerb({ ...plainVerb, verb: 'v' }, value)
}

/** Go's `Sprint`: blanks between operands that are both no string. */
export function sprint(values: readonly unknown[]): string {
  let text = ''
  for (const [index, value] of values.entries()) {
    const isBetween =
      index > 0 && typeof value !== 'string' && typeof values[index - 1] !== 'string'
    text += (isBetween ? ' ' : '') + formatValue(value)
  }
  return text
}

/** Go's `Sprintln`: blanks between all operands, a newline behind. */
export function sprintln(values: readonly unknown[]): string {
  return `${values.map(formatValue).join(' ')}\n`
}

interface Verb {
  readonly verb: string
  readonly minus: boolean
  readonly plus: boolean
  readonly sharp: boolean
  readonly space: boolean
  readonly zero: boolean
  readonly width: number | undefined
  readonly precision: number | undefined
}

const plainVerb: Omit<Verb, 'verb'> = {
  minus: false,
  plus: false,
  sharp: false,
  space: false,
  zero: false,
  width: undefined,
  precision: undefined,
}

const directive = /%([-+# 0]*)(\*|[0-9]+)?(?:\.(\*|[0-9]*))?(.)?/gsu
/** Go refuses wider fields too. */
const maxWidth = 1_000_000

/** Go's `Sprintf` for the verbs `v s d q x X t f F e g c b o U T`. */
export function sprintf(format: string, values: readonly unknown[]): string {
  let used = 0
  const text = format.replace(
    directive,
    (whole, flags: string, width?: string, precision?: string, verb?: string) => {
      if (whole === '%%' || verb === '%') return '%'
      const problems: string[] = []
      const readSize = (source: string | undefined, problem: string): number | undefined => {
        if (source !== '*') return source === undefined ? undefined : Number(source)
        const value = values[used++]
        if (typeof value === 'number' && Math.abs(value) <= maxWidth) return value
        problems.push(`%!(${problem})`)
        return undefined
      }
      const size = readSize(width, 'BADWIDTH')
      const digits = readSize(precision, 'BADPREC')
      if (verb === undefined) return '%!(NOVERB)'
      if ((size ?? 0) > maxWidth || (digits ?? 0) > maxWidth) return '%!(BADWIDTH)'
      if (used >= values.length) return `%!${verb}(MISSING)`
      const minus = flags.includes('-') || (size ?? 0) < 0
      const shown = formatVerb(
        {
          verb,
          minus,
          plus: flags.includes('+'),
          sharp: flags.includes('#'),
          space: flags.includes(' '),
          zero: flags.includes('0') && !minus,
          width: size === undefined ? undefined : Math.abs(size),
          precision: digits === undefined || digits < 0 ? undefined : digits,
        },
        values[used++],
      )
      return problems.join('') + shown
    },
  )
  if (used >= values.length) return text
  const extra = values.slice(used).map((value) => {
    return value === null || value === undefined
      ? '<nil>'
      : `${typeName(value)}=${formatValue(value)}`
  })
  return `${text}%!(EXTRA ${extra.join(', ')})`
}

function formatVerb(verb: Verb, value: unknown): string {
  if (verb.verb === 'T') return pad(verb, typeName(value))
  if (value === null || value === undefined) {
    return verb.verb === 'v' ? pad(verb, '<nil>') : `%!${verb.verb}(<nil>)`
  }
  if (Array.isArray(value)) {
    return `[${value.map((item) => formatVerb(verb, item)).join(' ')}]`
  }
  if (isStruct(value)) {
    const fields = Object.values(value).filter((field) => typeof field !== 'function')
    return `{${fields.map((field) => formatVerb(verb, field)).join(' ')}}`
  }
  if (isGoMap(value)) {
    const entries = sortedEntries(value)
    const shown = entries.map(([key, item]) => `${formatVerb(verb, key)}:${formatVerb(verb, item)}`)
    return `map[${shown.join(' ')}]`
  }
  return formatScalar(verb, value) ?? `%!${verb.verb}(${typeName(value)}=${formatValue(value)})`
}

function formatScalar(verb: Verb, value: unknown): string | undefined {
  if (typeof value === 'string') return formatText(verb, value)
  if (typeof value === 'boolean')
    return 'vt'.includes(verb.verb) ? pad(verb, String(value)) : undefined
  if (typeof value === 'bigint' || Number.isInteger(value)) {
    return formatInteger(verb, BigInt(value as bigint | number))
  }
  return typeof value === 'number' ? formatFloat(verb, value) : undefined
}

function formatText(verb: Verb, value: string): string | undefined {
  const text =
    verb.precision === undefined ? value : Array.from(value).slice(0, verb.precision).join('')
  switch (verb.verb) {
    case 'v':
    case 's':
      return pad(verb, text)
    case 'q':
      return pad(verb, verb.sharp && !/[`\p{Cc}]/u.test(text) ? `\`${text}\`` : quoteGo(text))
    case 'x':
    case 'X': {
      const bytes = [...new TextEncoder().encode(text)]
      const hex = bytes
        .map((byte) => byte.toString(16).padStart(2, '0'))
        .join(verb.space ? ' ' : '')
      return pad(verb, verb.verb === 'X' ? hex.toUpperCase() : hex)
    }
    default:
      return undefined
  }
}

const bases: Readonly<Record<string, readonly [number, string]>> = {
  v: [10, ''],
  d: [10, ''],
  b: [2, '0b'],
  o: [8, '0'],
  x: [16, '0x'],
  X: [16, '0X'],
}

function formatInteger(verb: Verb, value: bigint): string | undefined {
  if (verb.verb === 'c' || verb.verb === 'q' || verb.verb === 'U') return formatRune(verb, value)
  const [base, prefix] = bases[verb.verb] ?? []
  if (base === undefined) return undefined
  const digits = (value < 0n ? -value : value).toString(base)
  const sign = signOf(verb, value < 0n)
  const shown = (verb.verb === 'X' ? digits.toUpperCase() : digits).padStart(
    verb.precision ?? 0,
    '0',
  )
  const zero = verb.zero && verb.precision === undefined
  return padNumber({ ...verb, zero }, sign + (verb.sharp ? prefix : ''), shown)
}

function formatRune(verb: Verb, value: bigint): string {
  const isCharacter = value >= 0n && value <= 0x10ffffn && (value < 0xd800n || value > 0xdfffn)
  const character = isCharacter ? String.fromCodePoint(Number(value)) : '\ufffd'
  if (verb.verb === 'U') return pad(verb, `U+${value.toString(16).toUpperCase().padStart(4, '0')}`)
  return pad(verb, verb.verb === 'c' ? character : quoteGoRune(character))
}

function formatFloat(verb: Verb, value: number): string | undefined {
  const sign = signOf(verb, value < 0)
  const size = Math.abs(value)
  // JavaScript tells no more digits than these; a double has none behind them that matter.
  const precision = verb.precision === undefined ? undefined : Math.min(verb.precision, 90)
  switch (verb.verb) {
    case 'v':
    case 'g':
    case 'G':
      return padNumber(verb, sign, formatG(size, precision))
    case 'f':
    case 'F':
      return padNumber(verb, sign, formatF(size, precision))
    case 'e':
    case 'E':
      return padNumber(verb, sign, formatE(size, precision))
    default:
      return undefined
  }
}

function signOf(verb: Verb, isNegative: boolean): string {
  if (isNegative) return '-'
  if (verb.plus) return '+'
  return verb.space ? ' ' : ''
}

function padNumber(verb: Verb, sign: string, digits: string): string {
  const zeros = verb.zero ? (verb.width ?? 0) - sign.length : 0
  return pad({ ...verb, zero: false }, sign + digits.padStart(zeros, '0'))
}

function pad(verb: Verb, text: string): string {
  const missing = (verb.width ?? 0) - Array.from(text).length
  if (missing <= 0) return text
  if (verb.minus) return text + ' '.repeat(missing)
  return (verb.zero ? '0' : ' ').repeat(missing) + text
}
