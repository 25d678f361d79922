import type { Command } from './command.ts'
import { childrenOfPath, type Found, findCommand, pathsOf } from './find-command.ts'
import { globalFlags } from './global-flags.ts'
import type { CommandHelp, CommandList } from './terminal/help.ts'

const commonCommands = [
  'pull',
  'push',
  'images',
  'inspect',
  'history',
  'layers',
  'rmi',
  'tags',
  'demo',
]

/** What help and usage errors say of a path: a command, a group, or the program itself. */
export function commandHelp(path: readonly string[]): CommandHelp {
  const found: Found | undefined = path.length === 0 ? undefined : findCommand(path)
  if (found?.kind === 'command') return leafHelp(found.command, path)
  const children = childrenOfPath(path)
  if (path.length > 0) {
    const summary = found?.kind === 'group' ? found.group.summary : ''
    return { path: path.join(' '), summary, lists: [listOf('Commands', children)] }
  }
  const groups = children.filter((child) => child.isGroup)
  const leaves = children.filter((child) => !child.isGroup)
  const isCommon = (word: string): boolean => commonCommands.includes(word)
  return {
    path: '',
    usage: '[OPTIONS] COMMAND [ARG...]',
    summary: 'Container images without a daemon: pull, keep, look at, move and remove them',
    flags: globalFlags,
    lists: [
      listOf(
        'Common Commands',
        leaves.filter((child) => isCommon(child.word)),
      ),
      listOf('Management Commands', groups),
      listOf(
        'Commands',
        leaves.filter((child) => !isCommon(child.word)),
      ),
    ],
  }
}

function leafHelp(command: Command, called: readonly string[]): CommandHelp {
  return {
    path: called.join(' '),
    usage: command.usage,
    summary: command.summary,
    // The words of a group first, as docker has them.
    aliases: pathsOf(command)
      .toSorted((left, right) => right.length - left.length)
      .map((path) => path.join(' ')),
    flags: command.flags,
  }
}

function listOf(title: string, children: ReturnType<typeof childrenOfPath>): CommandList {
  return {
    title,
    commands: children.map(({ word, summary }) => ({ name: word, summary })),
  }
}
