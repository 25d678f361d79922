import type { Command, CommandGroup } from './command.ts'
import { commandGroups, commands } from './command-table.ts'

/** What the words of a command line lead to. */
export type Found =
  | { readonly kind: 'command'; readonly command: Command; readonly path: readonly string[] }
  | { readonly kind: 'group'; readonly group: CommandGroup }
  /** `path` is the group it was looked for in; `word` is unknown there. */
  | { readonly kind: 'unknown'; readonly path: readonly string[]; readonly word: string }

/** Follows words through groups to a command; the rest of the words are its arguments. */
export function findCommand(words: readonly string[]): Found {
  let path: readonly string[] = []
  for (const word of words) {
    const next = [...path, word]
    const command = commands.find((one) => pathsOf(one).some((known) => samePath(known, next)))
    if (command !== undefined) return { kind: 'command', command, path: next }
    if (!isGroup(next)) return { kind: 'unknown', path, word }
    path = next
  }
  const group = commandGroups.find((one) => samePath(one.path, path))
  return group === undefined
    ? { kind: 'unknown', path: [], word: words.join(' ') }
    : { kind: 'group', group }
}

/** Every way to call a command, its own first. */
export function pathsOf(command: Command): readonly (readonly string[])[] {
  return [command.path, ...(command.aliases ?? [])]
}

/** The commands and groups right below a path. */
export function childrenOfPath(
  path: readonly string[],
): readonly { readonly word: string; readonly summary: string; readonly isGroup: boolean }[] {
  const below = (one: readonly string[]): boolean =>
    one.length === path.length + 1 && path.every((word, index) => one[index] === word)
  const groups = commandGroups
    .filter((group) => below(group.path))
    .map(({ path: own, summary }) => ({ word: own.at(-1) ?? '', summary, isGroup: true }))
  const leaves = commands.flatMap((command) => {
    if (command.hidden === true) return []
    const own = pathsOf(command).find(below)
    return own === undefined
      ? []
      : [{ word: own.at(-1) ?? '', summary: command.summary, isGroup: false }]
  })
  return [...groups, ...leaves]
}

function isGroup(path: readonly string[]): boolean {
  return commandGroups.some((group) => samePath(group.path, path))
}

function samePath(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((word, index) => b[index] === word)
}
