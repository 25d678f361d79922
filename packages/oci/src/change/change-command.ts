/** A command: a JSON list of words, or else one text for a shell. */
export interface ChangeCommand {
  readonly words: readonly string[]
  readonly isShell: boolean
}

/** Reads what stands behind `CMD`, `ENTRYPOINT` or `VOLUME`. What is no JSON list of strings is text. */
export function commandOf(text: string): ChangeCommand {
  const words = jsonWords(text)
  return words === undefined ? { words: [text], isShell: true } : { words, isShell: false }
}

function jsonWords(text: string): readonly string[] | undefined {
  if (!text.startsWith('[')) return undefined
  try {
    const value: unknown = JSON.parse(text)
    if (Array.isArray(value) && value.every((word): word is string => typeof word === 'string')) {
      return value
    }
  } catch {
    // Text that only begins like a list is a command for a shell.
  }
  return undefined
}
