/**
 * What Go's encoding/json says about a text that is no JSON: docker prints it. Covers how such texts begin;
 * undefined when the trouble lies deeper.
 */
export function goJsonError(text: string): string | undefined {
  const trimmed = text.trimStart()
  if (trimmed === '') return 'unexpected end of JSON input'
  const literal = ['null', 'true', 'false'].find((word) => word[0] === trimmed[0])
  if (literal !== undefined) {
    const at = literal.split('').findIndex((letter, index) => trimmed[index] !== letter)
    if (at === -1) return undefined
    const found = trimmed.at(at)
    if (found === undefined) return 'unexpected end of JSON input'
    return `invalid character ${goQuote(found)} in literal ${literal} (expecting ${goQuote(literal.charAt(at))})`
  }
  const first = String.fromCodePoint(trimmed.codePointAt(0) ?? 0)
  if ('{["-0123456789'.includes(first)) return undefined
  return `invalid character ${goQuote(first)} looking for beginning of value`
}

function goQuote(letter: string): string {
  return letter === "'"
    ? `'\\''`
    : letter === '"'
      ? `'"'`
      : `'${JSON.stringify(letter).slice(1, -1)}'`
}
