/** The longest pattern that is taken. */
const maxLength = 255

/** Letters of repository names and tags, and `*`: any text without a slash; `**`: any text. */
export function isGlob(text: string): boolean {
  return (
    text.length > 0 && text.length <= maxLength && /^[\w./*-]+$/.test(text) && !text.includes('***')
  )
}

/**
 * Whether the whole text is what the pattern says. Takes time in proportion to the two lengths multiplied at the most,
 * whatever they are.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  // Where in the text each beginning of the pattern may have come to.
  let reached = new Uint8Array(text.length + 1)
  reached[0] = 1
  for (let at = 0; at < pattern.length; at += 1) {
    const next = new Uint8Array(text.length + 1)
    const isStar = pattern[at] === '*'
    const isDeep = isStar && pattern[at + 1] === '*'
    if (isDeep) at += 1
    let isOpen = false
    for (let read = 0; read <= text.length; read += 1) {
      if (isStar) {
        isOpen = reached[read] === 1 || (isOpen && (isDeep || text[read - 1] !== '/'))
        next[read] = isOpen ? 1 : 0
      } else if (reached[read] === 1 && text[read] === pattern[at]) {
        next[read + 1] = 1
      }
    }
    reached = next
  }
  return reached[text.length] === 1
}
