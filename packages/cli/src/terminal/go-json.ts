import { isGoMap, jsonForm, nilMap, nilSlice, isStruct, sortedEntries } from './go-value.ts'

/** Options of {@link goJson}. */
export interface GoJsonOptions {
  /** Write `<`, `>` and `&` as escapes, as Go does unless told otherwise. Default true. */
  readonly escapesHtml?: boolean
  /** Keep lone surrogates, written as `\\udcff`, instead of U+FFFD as Go has them. Default false. */
  readonly keepsSurrogates?: boolean
}

/** What Go escapes in any case, and what a terminal would obey or hide: the JSON value is the same. */
const terminalControls = /[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g
const htmlAndControls = /[<>&\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

/** Deeper values are refused: they are no documents, but circles or attacks. */
const maxDepth = 1000

/**
 * JSON as Go's encoder writes it: `<`, `>`, `&` and the two line separators escaped, keys of Maps sorted. Keys of
 * objects keep their order; `undefined` and functions are left out. With `indent`, one value a line. Characters that a
 * terminal obeys or hides are escaped too, so the text is safe to print.
 */
export function goJson(value: unknown, indent = '', options: GoJsonOptions = {}): string {
  const escapes = options.escapesHtml === false ? terminalControls : htmlAndControls
  const quote = (text: string): string =>
    quoted(options.keepsSurrogates === true ? text : text.toWellFormed(), escapes)
  const write = (item: unknown, margin: string, depth: number): string => {
    if (depth > maxDepth) throw new RangeError('json: value is nested too deep')
    const inner = margin + indent
    if (typeof item === 'string') return quote(item)
    if (item === nilMap || item === nilSlice) return 'null'
    if (typeof item === 'bigint') return String(item)
    if (Array.isArray(item)) {
      return enclose(
        '[',
        ']',
        item.map((part) => write(part, inner, depth + 1)),
        margin,
      )
    }
    if (item instanceof Date) return quote(item.toISOString())
    if (typeof item === 'object' && item !== null && jsonForm in item) {
      return write(item[jsonForm], margin, depth)
    }
    if (isGoMap(item) || isStruct(item)) {
      const entries = item instanceof Map ? sortedEntries(item) : Object.entries(item)
      const colon = indent === '' ? ':' : ': '
      const parts = entries
        .filter(([, part]) => part !== undefined && typeof part !== 'function')
        .map(([key, part]) => quote(key) + colon + write(part, inner, depth + 1))
      return enclose('{', '}', parts, margin)
    }
    return typeof item === 'function' ? 'null' : (JSON.stringify(item) ?? 'null')
  }
  const enclose = (open: string, close: string, parts: readonly string[], margin: string) => {
    if (parts.length === 0) return open + close
    if (indent === '') return open + parts.join(',') + close
    const line = `\n${margin}${indent}`
    return `${open}${line}${parts.join(`,${line}`)}\n${margin}${close}`
  }
  return write(value, '', 0)
}

function quoted(text: string, escapes: RegExp): string {
  return JSON.stringify(text).replace(
    escapes,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
