import { formatValue, sprint, sprintf, sprintln } from './go-format.ts'
import { goJson } from './go-json.ts'
import { compareText, isGoMap, isTrue, mapEntry, typeName } from './go-value.ts'

/** A function that templates may call. It throws an Error whose message follows `error calling NAME: `. */
export interface TemplateFunction {
  readonly call: (...values: readonly unknown[]) => unknown
  /** Types of the arguments; the last one repeats when `isVariadic`. */
  readonly parameters: readonly ParameterType[]
  readonly isVariadic?: boolean
}

export type ParameterType = 'any' | 'string' | 'int' | 'strings'

/** Functions by name. `and` and `or` are not here: they look at their arguments one by one. */
export type TemplateFunctions = ReadonlyMap<string, TemplateFunction>

/**
 * Go's builtins and docker's own functions. `json` writes one line without HTML escapes, or with `jsonIndent` several
 * lines with them, as Go's `MarshalIndent`.
 */
export function templateFunctions(jsonIndent?: string): TemplateFunctions {
  const json: TemplateFunction = {
    parameters: ['any'],
    call: (value) => goJson(value, jsonIndent, { escapesHtml: jsonIndent !== undefined }),
  }
  return new Map([...builtins, ...dockerFunctions, ['json', json]])
}

/** For header rows: functions that shape a text leave a header as it is. */
export function headerFunctions(): TemplateFunctions {
  return new Map([
    ...builtins,
    ['json', keep(['any'])],
    ['split', keep(['string', 'string'])],
    ['join', keep(['any', 'string'])],
    ['title', keep(['string'])],
    ['lower', keep(['string'])],
    ['upper', keep(['string'])],
    ['truncate', keep(['string', 'int'])],
    ['pad', keep(['string', 'int', 'int'])],
  ])
}

function keep(parameters: readonly ParameterType[]): TemplateFunction {
  return { parameters, call: (value) => value }
}

const text = (value: unknown): string => String(value)

const dockerFunctions: readonly (readonly [string, TemplateFunction])[] = [
  [
    'split',
    { parameters: ['string', 'string'], call: (value, by) => splitText(text(value), text(by)) },
  ],
  [
    'join',
    {
      parameters: ['strings', 'string'],
      call: (values, by) => (Array.isArray(values) ? values.map(text).join(text(by)) : ''),
    },
  ],
  ['title', { parameters: ['string'], call: (value) => titleCase(text(value)) }],
  ['lower', { parameters: ['string'], call: (value) => text(value).toLowerCase() }],
  ['upper', { parameters: ['string'], call: (value) => text(value).toUpperCase() }],
  [
    'pad',
    {
      parameters: ['string', 'int', 'int'],
      call: (value, before, after) =>
        value === '' ? '' : blanks(Number(before)) + text(value) + blanks(Number(after)),
    },
  ],
  ['truncate', { parameters: ['string', 'int'], call: truncate }],
]

const builtins: readonly (readonly [string, TemplateFunction])[] = [
  ['not', { parameters: ['any'], call: (value) => !isTrue(value) }],
  ['len', { parameters: ['any'], call: length }],
  ['index', { parameters: ['any', 'any'], isVariadic: true, call: index }],
  ['slice', { parameters: ['any', 'any'], isVariadic: true, call: slice }],
  ['print', { parameters: ['any'], isVariadic: true, call: (...values) => sprint(values) }],
  ['println', { parameters: ['any'], isVariadic: true, call: (...values) => sprintln(values) }],
  [
    'printf',
    {
      parameters: ['string', 'any'],
      isVariadic: true,
      call: (format, ...values) => sprintf(text(format), values),
    },
  ],
  [
    'html',
    { parameters: ['any'], isVariadic: true, call: (...values) => escapeHtml(shown(values)) },
  ],
  [
    'urlquery',
    { parameters: ['any'], isVariadic: true, call: (...values) => escapeQuery(shown(values)) },
  ],
  [
    'js',
    { parameters: ['any'], isVariadic: true, call: (...values) => escapeScript(shown(values)) },
  ],
  ['eq', { parameters: ['any', 'any'], isVariadic: true, call: equalToAny }],
  ['ne', { parameters: ['any', 'any'], call: (left, right) => !isEqual(left, right) }],
  ['lt', { parameters: ['any', 'any'], call: (left, right) => order(left, right) < 0 }],
  ['le', { parameters: ['any', 'any'], call: (left, right) => order(left, right) <= 0 }],
  ['gt', { parameters: ['any', 'any'], call: (left, right) => order(left, right) > 0 }],
  ['ge', { parameters: ['any', 'any'], call: (left, right) => order(left, right) >= 0 }],
]

function length(value: unknown): number {
  if (typeof value === 'string') return byteLength(value)
  if (Array.isArray(value)) return value.length
  if (value instanceof Map) return value.size
  if (isGoMap(value)) return Object.keys(value).length
  if (value === null || value === undefined) throw new Error('len of nil pointer')
  throw new Error(`len of type ${typeName(value)}`)
}

function index(value: unknown, ...keys: readonly unknown[]): unknown {
  if (value === null || value === undefined) throw new Error('index of untyped nil')
  let item: unknown = value
  for (const key of keys) {
    if (item === null || item === undefined) throw new Error('index of nil pointer')
    item = indexOnce(item, key)
  }
  return item
}

function indexOnce(item: unknown, key: unknown): unknown {
  if (isGoMap(item)) {
    if (key === null || key === undefined) throw new Error('value is nil; should be of type string')
    if (typeof key !== 'string')
      throw new Error(`value has type ${typeName(key)}; should be string`)
    const entry = mapEntry(item, key)
    return entry === undefined ? zeroElement(item) : entry.value
  }
  if (typeof item !== 'string' && !Array.isArray(item)) {
    throw new Error(`can't index item of type ${typeName(item)}`)
  }
  const list = typeof item === 'string' ? new TextEncoder().encode(item) : item
  const position = indexNumber(key)
  if (position < 0 || position >= list.length) throw new Error(`index out of range: ${position}`)
  return list[position]
}

/** What a missing key gives: labels and their like are maps of strings, so the empty string. */
function zeroElement(map: Parameters<typeof mapEntry>[0]): unknown {
  const first: unknown = map instanceof Map ? map.values().next().value : Object.values(map)[0]
  return first === undefined || typeof first === 'string' ? '' : undefined
}

function indexNumber(key: unknown): number {
  if (typeof key === 'number' && Number.isInteger(key)) return key
  if (key === null || key === undefined) throw new Error('cannot index slice/array with nil')
  throw new Error(`cannot index slice/array with type ${typeName(key)}`)
}

function slice(value: unknown, ...bounds: readonly unknown[]): unknown {
  if (value === null || value === undefined) throw new Error('slice of untyped nil')
  if (bounds.length > 3) throw new Error(`too many slice indexes: ${bounds.length}`)
  if (typeof value !== 'string' && !Array.isArray(value)) {
    throw new Error(`can't slice item of type ${typeName(value)}`)
  }
  const size = length(value)
  const [start = 0, end = size] = bounds.map((bound) => {
    const position = indexNumber(bound)
    if (position < 0 || position > size) throw new Error(`index out of range: ${position}`)
    return position
  })
  if (start > end) throw new Error(`invalid slice index: ${start} > ${end}`)
  if (typeof value !== 'string') return value.slice(start, end)
  return new TextDecoder().decode(new TextEncoder().encode(value).subarray(start, end))
}

function equalToAny(first: unknown, ...others: readonly unknown[]): boolean {
  if (others.length === 0) throw new Error('missing argument for comparison')
  return others.some((other) => isEqual(first, other))
}

function isEqual(left: unknown, right: unknown): boolean {
  const kinds = [basicKind(left), basicKind(right)]
  if (kinds.includes('nil')) return kinds[0] === kinds[1]
  if (kinds[0] !== kinds[1]) throw new Error('incompatible types for comparison')
  return left === right
}

function order(left: unknown, right: unknown): number {
  const kinds = [basicKind(left), basicKind(right)]
  if (kinds.includes('nil')) throw new Error('invalid type for comparison')
  if (kinds[0] !== kinds[1]) throw new Error('incompatible types for comparison')
  if (typeof left === 'string') return compareText(left, text(right))
  if (typeof left === 'boolean') throw new Error('invalid type for comparison')
  return Number(left) - Number(right)
}

function basicKind(value: unknown): string {
  if (value === null || value === undefined) return 'nil'
  const name = typeName(value)
  if (name === 'string' || name === 'bool' || name === 'int' || name === 'float64') return name
  throw new Error(`non-comparable type ${formatValue(value)}: ${name}`)
}

function shown(values: readonly unknown[]): string {
  return values.length === 1 && typeof values[0] === 'string' ? values[0] : sprint(values)
}

const htmlEscapes: Readonly<Record<string, string>> = {
  '"': '&#34;',
  "'": '&#39;',
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '\0': '\ufffd',
}

function escapeHtml(value: string): string {
  return value.replace(/["'&<>\0]/g, (character) => htmlEscapes[character] ?? character)
}

const scriptEscapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  "'": "\\'",
  '"': '\\"',
  '<': '\\u003C',
  '>': '\\u003E',
  '&': '\\u0026',
  '=': '\\u003D',
}

function escapeScript(value: string): string {
  return value.replace(/[\\'"<>&=\p{Cc}\u2028\u2029]/gu, (character) => {
    const code = character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')
    return scriptEscapes[character] ?? `\\u${code}`
  })
}

function escapeQuery(value: string): string {
  return encodeURIComponent(value.toWellFormed())
    .replaceAll('%20', '+')
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}

function splitText(value: string, by: string): string[] {
  return by === '' ? Array.from(value) : value.split(by)
}

/** Go's `strings.Title`: the first letter of each word in upper case. */
function titleCase(value: string): string {
  return value.replace(/(^|[^\p{L}\p{N}_])(\p{L})/gu, (_, before: string, letter: string) => {
    return before + letter.toUpperCase()
  })
}

function truncate(value: unknown, size: unknown): string {
  const bytes = new TextEncoder().encode(text(value))
  const limit = Number(size)
  if (limit < 0) throw new Error(`slice bounds out of range [:${limit}]`)
  return bytes.length < limit ? text(value) : new TextDecoder().decode(bytes.subarray(0, limit))
}

function blanks(count: number): string {
  if (count < 0) throw new Error('strings: negative Repeat count')
  if (count > 1_000_000) throw new Error('strings: Repeat output length overflow')
  return ' '.repeat(count)
}

function byteLength(value: string): number {
  return new TextEncoder().encode(value).length
}
