/**
 * Whether a name fits a pattern: `*` stands for any text without a slash, `**` for any text. Linear in the name for each
 * star, without backtracking over more than the last one.
 */
export function matchesName(pattern: string, name: string): boolean {
  const tokens = pattern.match(/\*+|[^*]+/g) ?? []
  // Positions in the name that the tokens so far can end at.
  let ends: readonly number[] = [0]
  for (const token of tokens) {
    if (ends.length === 0) return false
    if (!token.startsWith('*')) {
      ends = ends.filter((at) => name.startsWith(token, at)).map((at) => at + token.length)
      continue
    }
    const first = ends[0] ?? 0
    if (token !== '*') {
      ends = range(first, name.length)
      continue
    }
    const reached = new Set<number>()
    for (const start of ends) {
      for (let at = start; at <= name.length && !reached.has(at); at++) {
        reached.add(at)
        if (name[at] === '/') break
      }
    }
    ends = [...reached].sort((a, b) => a - b)
  }
  return ends.includes(name.length)
}

function range(first: number, last: number): readonly number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, position) => first + position)
}
