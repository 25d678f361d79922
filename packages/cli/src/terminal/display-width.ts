// Unicode's East Asian Wide and Fullwidth. Emoji are among them, but not the letters that flags are made of.
const wide =
  /(?![\u{1f1e6}-\u{1f1ff}])[\p{Emoji_Presentation}\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\u3247\u3250-\u4dbf\u4e00-\ua4c6\ua960-\ua97c\uac00-\ud7a3\uf900-\ufad9\ufe10-\ufe19\ufe30-\ufe6b\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{1b2fb}\u{1f200}-\u{1f265}\u{20000}-\u{3fffd}]/u
const ascii = /^[\0-\x7f]*$/

/** Columns a text takes on a terminal, as docker counts them: 2 for wide characters, 1 for all others. */
export function displayWidth(text: string): number {
  if (ascii.test(text)) return text.length
  let width = 0
  for (const character of text) width += characterWidth(character)
  return width
}

/** A text in at most `columns` columns (at least 1): what does not fit gives way to `…`. */
export function shorten(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text
  let width = 0
  let kept = ''
  for (const character of text) {
    width += characterWidth(character)
    if (width > columns - 1) break
    kept += character
  }
  return `${kept}…`
}

function characterWidth(character: string): number {
  return wide.test(character) ? 2 : 1
}
