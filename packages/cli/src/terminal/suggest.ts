/**
 * Names that a misspelt word may have meant: at most two letters wrong, missing, too many or exchanged, or the name
 * begins with the word. Nearest first, then in the order given.
 */
export function suggestNames(word: string, names: Iterable<string>): string[] {
  const wanted = word.toLowerCase()
  const found: { readonly name: string; readonly distance: number }[] = []
  for (const name of names) {
    const candidate = name.toLowerCase()
    const distance = editDistance(wanted, candidate)
    const isPrefix = wanted !== '' && candidate.startsWith(wanted)
    // Two changes make any short word into any other.
    const limit = Math.min(2, Math.max(wanted.length, candidate.length) - 1)
    if (distance <= limit || isPrefix) found.push({ name, distance })
  }
  return found.toSorted((left, right) => left.distance - right.distance).map(({ name }) => name)
}

/** Damerau-Levenshtein distance (adjacent letters exchanged count once); 3 stands for anything above 2. */
export function editDistance(left: string, right: string): number {
  const tooFar = 3
  if (Math.abs(left.length - right.length) >= tooFar) return tooFar
  let twoAgo: number[] = []
  let before = Array.from({ length: right.length + 1 }, (_, column) => column)
  for (let row = 1; row <= left.length; row++) {
    const current = [row]
    for (let column = 1; column <= right.length; column++) {
      const isSame = left[row - 1] === right[column - 1]
      let best = Math.min(
        (before[column] ?? tooFar) + 1,
        (current[column - 1] ?? tooFar) + 1,
        (before[column - 1] ?? tooFar) + (isSame ? 0 : 1),
      )
      const isExchange = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]
      if (row > 1 && column > 1 && isExchange) {
        best = Math.min(best, (twoAgo[column - 2] ?? tooFar) + 1)
      }
      current.push(best)
    }
    twoAgo = before
    before = current
  }
  return Math.min(tooFar, before[right.length] ?? tooFar)
}
