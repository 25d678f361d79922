import { childrenOfPath } from './find-command.ts'
import { suggestWords } from './terminal/suggest.ts'

/** Commands of a group that look like a misspelt word, as typed after the program's name. */
export function suggestedCommands(group: readonly string[], word: string): readonly string[] {
  const known = childrenOfPath(group).map((child) => child.word)
  return suggestWords(word, known).map((found) => [...group, found].join(' '))
}
