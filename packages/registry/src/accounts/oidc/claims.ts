/**
 * Whether claims say what is wanted, every one of it. A list says what one of its items says. `*` in what is wanted is
 * any text.
 */
export function fitsClaims(
  wanted: Readonly<Record<string, string>>,
  claims: Readonly<Record<string, unknown>>,
): boolean {
  return Object.entries(wanted).every(([name, pattern]) => {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined
    const texts = Array.isArray(value) ? value : [value]
    return texts.some((text) => isPlain(text) && fits(pattern, String(text)))
  })
}

function isPlain(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value)
}

/** The parts between stars in their order, the first at the beginning, the last at the end. */
function fits(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern.split('*')
  const last = rest.pop()
  if (last === undefined) return text === first
  if (!text.startsWith(first)) return false
  let at = first.length
  for (const part of rest) {
    const found = text.indexOf(part, at)
    if (found === -1) return false
    at = found + part.length
  }
  return text.length - last.length >= at && text.endsWith(last)
}
