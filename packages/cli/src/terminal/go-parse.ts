import { quoteGo } from './go-quote.ts'

/** A word that Go's strconv refuses; `reason` is its text. */
export interface ParseFailure {
  readonly reason: string
}

/** Reads a bool as Go's `strconv.ParseBool`: 1, t, T, true, True, TRUE and their opposites. */
export function parseGoBool(text: string): boolean | ParseFailure {
  if (/^(?:1|t|T|true|True|TRUE)$/.test(text)) return true
  if (/^(?:0|f|F|false|False|FALSE)$/.test(text)) return false
  return { reason: `strconv.ParseBool: parsing ${quoteGo(text)}: invalid syntax` }
}

const integer =
  /^(?<sign>[+-]?)(?<digits>0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO]?(?:_?[0-7])+|0|[1-9](?:_?[0-9])*)$/

/**
 * Reads an integer as Go's `strconv.ParseInt` with base 0 (`0x1f`, `0b1`, `0o7`, `017`, `1_000`). Numbers that a
 * JavaScript number does not hold exactly are out of range too.
 */
export function parseGoInt(text: string): number | ParseFailure {
  const groups = integer.exec(text)?.groups
  if (groups === undefined) {
    return { reason: `strconv.ParseInt: parsing ${quoteGo(text)}: invalid syntax` }
  }
  const digits = (groups['digits'] ?? '').replaceAll('_', '')
  const size = Number(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits)
  if (!Number.isSafeInteger(size)) {
    return { reason: `strconv.ParseInt: parsing ${quoteGo(text)}: value out of range` }
  }
  return groups['sign'] === '-' && size !== 0 ? -size : size
}
