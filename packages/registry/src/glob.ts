/** The longest tag. */
const maxLength = 128

/** Letters of tags, and `*` for any text. */
export function isGlob(text: string): boolean {
  return text.length <= maxLength && /^[\w.*-]+$/.test(text)
}

/** Whether the whole text is what the pattern says: `*` is any text, also none. Goes back to the last star only: never more than the lengths multiplied. */
export function matchesGlob(pattern: string, text: string): boolean {
  let [at, read, star, mark] = [0, 0, -1, 0]
  while (read < text.length) {
    if (pattern[at] === '*') {
      star = at
      mark = read
      at += 1
    } else if (pattern[at] === text[read]) {
      at += 1
      read += 1
    } else if (star === -1) {
      return false
    } else {
      at = star + 1
      mark += 1
      read = mark
    }
  }
  while (pattern[at] === '*') at += 1
  return at === pattern.length
}
