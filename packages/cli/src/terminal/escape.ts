/** Options of {@link escapeTerminal}. */
export interface EscapeOptions {
  /** Let line feeds and tabs through. Default false: they are shown as `\n` and `\t`. */
  readonly newlines?: boolean
}

// C0, DEL, C1; zero-width; marks and overrides of writing direction; line separators; lone surrogates.
const unsafe =
  /[\0-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|\p{Surrogate}/gu

const named: Readonly<Record<string, string>> = { '\n': '\\n', '\t': '\\t', '\r': '\\r' }

/**
 * Makes text from an image or a registry safe to print: everything a terminal obeys instead of showing (escape
 * sequences, control characters, changes of direction) or does not show at all (zero width, lone surrogates) becomes
 * visible, as `\x1b` or `\u202e`. Other text is unchanged, so escaping twice changes nothing.
 */
export function escapeTerminal(text: string, options: EscapeOptions = {}): string {
  return text.replace(unsafe, (character) => {
    if (options.newlines === true && (character === '\n' || character === '\t')) return character
    return named[character] ?? escapeCode(character.charCodeAt(0))
  })
}

function escapeCode(code: number): string {
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`
}
