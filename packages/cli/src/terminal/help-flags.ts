import type { FlagSpec } from './flags.ts'
import { quoteGo } from './go-quote.ts'
import { compareText } from './go-value.ts'

/** The lines of flags in help, sorted by name; the texts are aligned and wrapped to the terminal. */
export function renderFlags(flags: readonly FlagSpec[], columns: number): string {
  const shown = flags
    .filter((flag) => flag.hidden !== true)
    .toSorted((left, right) => compareText(left.name, right.name))
    .map((flag) => ({ flag, left: leftSide(flag) }))
  const indent = Math.max(0, ...shown.map(({ left }) => left.length)) + 3
  return shown
    .map(({ flag, left }) => left.padEnd(indent) + wrap(indent, columns - 1, rightSide(flag)))
    .join('\n')
}

function leftSide(flag: FlagSpec): string {
  const short = flag.short === undefined ? '      ' : `  -${flag.short}, `
  const word = flag.type === 'bool' ? '' : ` ${flag.value ?? valueWords[flag.type]}`
  const bare = flag.type === 'optional' ? `[=${quoteGo(flag.bare ?? '')}]` : ''
  return `${short}--${flag.name}${word}${bare}`
}

const valueWords = { string: 'string', int: 'int', list: 'list', optional: 'string' } as const

function rightSide(flag: FlagSpec): string {
  const value = flag.default
  if (value === undefined || value === false || value === 0 || value === '') return flag.help
  if (typeof value === 'string') return `${flag.help} (default ${quoteGo(value)})`
  if (typeof value !== 'object') return `${flag.help} (default ${value})`
  return value.length === 0 ? flag.help : `${flag.help} (default [${value.join(',')}])`
}

const narrowest = 24
const narrowIndent = 16
/** A last line may be longer than the others by this much, rather than leave a short word alone. */
const overhang = 5

/** Breaks a text that starts at column `indent` into lines that start there too. */
function wrap(indent: number, width: number, text: string): string {
  if (width - indent >= narrowest) return wrapBlock(indent, width, text)
  const block = `\n${' '.repeat(narrowIndent)}`
  if (width - narrowIndent < narrowest) return text.replaceAll('\n', block)
  return block + wrapBlock(narrowIndent, width, text)
}

function wrapBlock(indent: number, width: number, text: string): string {
  const limit = width - indent - overhang
  const lines: string[] = []
  for (let rest = text; rest !== '' || lines.length === 0;) {
    const end = lineEnd(rest, limit)
    lines.push(rest.slice(0, end))
    rest = rest.slice(end + 1)
  }
  const margin = `\n${' '.repeat(indent)}`
  return lines.join('\n').replaceAll('\n', margin)
}

function lineEnd(text: string, limit: number): number {
  if (text.length < limit + overhang) return text.length
  const head = text.slice(0, limit)
  const blank = Math.max(head.lastIndexOf(' '), head.lastIndexOf('\t'), head.lastIndexOf('\n'))
  if (blank <= 0) return text.length
  const lineFeed = head.lastIndexOf('\n')
  return lineFeed > 0 ? lineFeed : blank
}
