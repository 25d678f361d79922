import { childrenOfPath, findCommand } from './find-command.ts'
import { globalFlags } from './global-flags.ts'
import type { FlagSpec } from './terminal/flags.ts'

/** What the last word of a command line may become. */
export interface Completion {
  readonly candidates: readonly { readonly word: string; readonly summary: string }[]
  /** Whether the name of an image of the store fits, too. */
  readonly images: boolean
}

const nothing: Completion = { candidates: [], images: false }

/** Completes the last of the words that follow the program's name, from the command table. */
export function completeWords(words: readonly string[]): Completion {
  const last = words.at(-1) ?? ''
  const before = skipGlobals(words.slice(0, -1))
  if (before === undefined) return nothing
  const path = before.at(0) === 'help' ? before.slice(1) : before
  const found = path.length === 0 ? undefined : findCommand(path)
  if (found === undefined || found.kind === 'group') {
    const group = found?.group.path ?? []
    if (last.startsWith('-')) {
      return group.length === 0
        ? { candidates: flagWords(globalFlags, last), images: false }
        : nothing
    }
    const candidates = childrenOfPath(group).filter(({ word }) => word.startsWith(last))
    return { candidates, images: false }
  }
  if (found.kind === 'unknown') return nothing
  const { flags, usage } = found.command
  const typed = path.slice(found.path.length)
  if (wantsValue(flags, typed.at(-1))) return nothing
  if (last.startsWith('-') && !typed.includes('--')) {
    return { candidates: flagWords(flags, last), images: false }
  }
  return { candidates: [], images: /\b(?:IMAGE|NAME|SOURCE|SOURCE_IMAGE)\b/.test(usage) }
}

/** The words from the first command on; undefined while the value of a global option is typed. */
function skipGlobals(words: readonly string[]): readonly string[] | undefined {
  let at = 0
  for (; at < words.length; at++) {
    const word = words[at] ?? ''
    if (!word.startsWith('-')) return words.slice(at)
    if (wantsValue(globalFlags, word)) at++
  }
  return at > words.length ? undefined : []
}

/** True when a word is an option whose value stands in the next word. */
function wantsValue(flags: readonly FlagSpec[], word: string | undefined): boolean {
  if (word === undefined || !word.startsWith('-') || word.includes('=')) return false
  const flag = word.startsWith('--')
    ? flags.find(({ name }) => `--${name}` === word)
    : flags.find(({ short }) => short !== undefined && word.endsWith(short))
  return flag !== undefined && flag.type !== 'bool' && flag.type !== 'optional'
}

function flagWords(flags: readonly FlagSpec[], start: string): Completion['candidates'] {
  return [...flags.filter(({ hidden }) => hidden !== true), helpFlag]
    .map(({ name, help }) => ({ word: `--${name}`, summary: help.replaceAll('\n', ' ') }))
    .filter(({ word }) => word.startsWith(start))
}

const helpFlag: FlagSpec = { name: 'help', type: 'bool', help: 'Print usage' }
