import { isKatmanError, type KatmanError } from '@katman/oci'
import type { FlagSpec } from './flags.ts'
import { renderFlags } from './help-flags.ts'

/** What help says of one command or group of commands. */
export interface CommandHelp {
  /** Words after the program: `pull`, `image ls`; empty for the program itself. */
  readonly path: string
  /** What follows the path in the usage line: `[OPTIONS] NAME[:TAG|@DIGEST]`. Of groups: in errors only. */
  readonly usage?: string
  /** One sentence, or several paragraphs. */
  readonly summary: string
  /** Every path the command has, its own too: `image pull`, `pull`. */
  readonly aliases?: readonly string[]
  readonly flags?: readonly FlagSpec[]
  /** Makes the command a group. Lists and their commands are shown in the order given, empty lists are not. */
  readonly lists?: readonly CommandList[]
  /** Last paragraph. */
  readonly footer?: string
}

/** Commands under a title such as `Commands` or `Management Commands`. */
export interface CommandList {
  readonly title: string
  readonly commands: readonly { readonly name: string; readonly summary: string }[]
}

/** Options of the texts of this file. */
export interface HelpOptions {
  /** The name the program was called by: `katman` or `docker`. */
  readonly program: string
  /** Width of the terminal. Default 80. */
  readonly columns?: number
}

/** The text of `--help`, in docker's layout. */
export function renderHelp(command: CommandHelp, options: HelpOptions): string {
  const { program, columns = 80 } = options
  const path = joinWords(program, command.path)
  const lists = command.lists?.filter((list) => list.commands.length > 0) ?? []
  const flags = command.flags?.filter((flag) => flag.hidden !== true) ?? []
  const isGroup = command.lists !== undefined
  const groupUsage = flags.length > 0 ? '[OPTIONS] COMMAND' : 'COMMAND'
  const paragraphs = [
    `Usage:  ${joinWords(path, isGroup ? groupUsage : command.usage)}`,
    command.summary,
  ]
  if (command.aliases !== undefined && command.aliases.length > 1) {
    const aliases = command.aliases.map((alias) => joinWords(program, alias))
    paragraphs.push(`Aliases:\n  ${aliases.join(', ')}`)
  }
  const flagParagraphs = flags.length > 0 ? [flagParagraph(command, flags, columns)] : []
  const width = nameWidth(lists)
  const commands = lists.map((list) => listParagraph(list, width))
  // docker shows the options of the program behind its commands, those of all others before them.
  paragraphs.push(
    ...(command.path === '' ? [...commands, ...flagParagraphs] : [...flagParagraphs, ...commands]),
  )
  if (isGroup) paragraphs.push(`Run '${path} COMMAND --help' for more information on a command.`)
  if (command.footer !== undefined) paragraphs.push(command.footer)
  return `${paragraphs.join('\n\n')}\n`
}

/**
 * The whole text docker prints on stderr for a usage error (`USAGE_FLAG` or `USAGE_ARGS`) of a command; undefined
 * for any other error. The exit code is `details.exitCode`.
 */
export function renderUsageError(
  error: unknown,
  command: CommandHelp,
  options: HelpOptions,
): string | undefined {
  if (!isKatmanError(error)) return undefined
  if (error.code === 'USAGE_FLAG') return usageText(error.message, 'Run', command, options)
  if (error.code !== 'USAGE_ARGS') return undefined
  return usageText(`${options.program}: ${error.message}`, pointerOf(error), command, options)
}

/** The text for an unknown word after the program or a group (exit code 1). */
export function renderUnknownCommand(
  word: string,
  group: CommandHelp,
  options: HelpOptions,
): string {
  const path = joinWords(options.program, group.path)
  const message = `${options.program}: unknown command: ${path} ${word}`
  if (group.path !== '') return usageText(message, 'Run', group, options)
  return `${message}\n\nRun '${path} --help' for more information\n`
}

function usageText(
  message: string,
  pointer: string,
  command: CommandHelp,
  { program }: HelpOptions,
): string {
  const path = joinWords(program, command.path)
  const usage = joinWords(path, command.usage)
  return `${message}\n\nUsage:  ${usage}\n\n${pointer} '${path} --help' for more information\n`
}

function pointerOf(error: KatmanError): string {
  const pointer = error.details['pointer']
  return typeof pointer === 'string' ? pointer : 'Run'
}

function flagParagraph(command: CommandHelp, flags: readonly FlagSpec[], columns: number): string {
  const title = command.path === '' ? 'Global Options' : 'Options'
  return `${title}:\n${renderFlags(flags, columns)}`
}

const minimumNameWidth = 11

function nameWidth(lists: readonly CommandList[]): number {
  const names = lists.flatMap((list) => list.commands.map(({ name }) => name.length))
  return Math.max(minimumNameWidth, ...names) + 1
}

function listParagraph({ title, commands }: CommandList, width: number): string {
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`)
  return [`${title}:`, ...lines].join('\n')
}

function joinWords(first: string, second: string | undefined): string {
  return second === undefined || second === '' ? first : `${first} ${second}`
}
