import { KatmanError } from '@katman/oci'

/**
 * A shell pattern as Go's `path.Match` has it: `*` and `?` do not cross `/`, `[a-z]`, `[^a]`, `\` quotes.
 * Matches in time linear in pattern times text. Throws `FILTER_INVALID` (`syntax error in pattern`).
 */
export function compileGlob(pattern: string): (text: string) => boolean {
  const parts = parseGlob(pattern)
  return (text) => matchGlob(parts, Array.from(text))
}

type Part =
  | { readonly kind: 'star' }
  | { readonly kind: 'one'; readonly matches: (character: string) => boolean }

function parseGlob(pattern: string): readonly Part[] {
  const characters = Array.from(pattern)
  const parts: Part[] = []
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? ''
    if (character === '*') parts.push({ kind: 'star' })
    else if (character === '?') parts.push({ kind: 'one', matches: (one) => one !== '/' })
    else if (character === '[') {
      const { matches, end } = parseClass(characters, at + 1)
      parts.push({ kind: 'one', matches })
      at = end
    } else {
      const literal = character === '\\' ? characters[++at] : character
      if (literal === undefined) throw badPattern(pattern)
      parts.push({ kind: 'one', matches: (one) => one === literal })
    }
  }
  return parts
}

function parseClass(
  characters: readonly string[],
  start: number,
): { readonly matches: (character: string) => boolean; readonly end: number } {
  let at = start
  const isNegated = characters[at] === '^'
  if (isNegated) at++
  const ranges: (readonly [string, string])[] = []
  const next = (): string => {
    let character = characters[at++]
    if (character === '\\') character = characters[at++]
    if (character === undefined) throw badPattern(characters.join(''))
    return character
  }
  while (characters[at] !== ']' || ranges.length === 0) {
    if (characters[at] === '-' || characters[at] === ']') throw badPattern(characters.join(''))
    const low = next()
    let high = low
    if (characters[at] === '-') {
      at++
      if (characters[at] === ']' || characters[at] === '-') throw badPattern(characters.join(''))
      high = next()
    }
    ranges.push([low, high])
    if (at >= characters.length) throw badPattern(characters.join(''))
  }
  const matches = (one: string): boolean =>
    ranges.some(([low, high]) => low <= one && one <= high) !== isNegated
  return { matches, end: at }
}

/** Goes back to the last star only, which is enough and keeps the time bounded. */
function matchGlob(parts: readonly Part[], text: readonly string[]): boolean {
  let part = 0
  let at = 0
  let star = -1
  let starAt = 0
  while (at < text.length) {
    const current = parts[part]
    if (current?.kind === 'star') {
      star = part++
      starAt = at
    } else if (current?.kind === 'one' && current.matches(text[at] ?? '')) {
      part++
      at++
    } else if (star >= 0 && text[starAt] !== '/') {
      part = star + 1
      at = ++starAt
    } else {
      return false
    }
  }
  while (parts[part]?.kind === 'star') part++
  return part === parts.length
}

function badPattern(pattern: string): KatmanError {
  return new KatmanError('FILTER_INVALID', 'syntax error in pattern', {
    hint: 'close every [ with ]',
    details: { pattern },
  })
}
