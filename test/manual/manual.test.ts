import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { commands } from '../../packages/cli/src/command-table.ts'
import { commandsPage, readCommandsPage } from './commands-page.ts'

const docs = path.resolve(import.meta.dirname, '../../docs')

describe('the manual', () => {
  it('has the help of every command (npx node test/manual/commands-page.ts --write)', () => {
    expect(readCommandsPage()).toBe(commandsPage())
  })

  it('tells of every command on a page written by hand', () => {
    const text = globSync('**/*.md', { cwd: docs })
      .filter((file) => file !== 'commands.md' && file !== 'compatibility.md')
      .map((file) => readFileSync(path.join(docs, file), 'utf8'))
      .join('\n')
    const missing = commands
      .filter(({ hidden }) => hidden !== true)
      .map((command) => command.path)
      .filter((words) => !isTold(words, text))
    expect(missing).toEqual([])
  })
})

/** Written out, or in a row of commands: `katman manifest create`, `annotate`, `push`. */
function isTold(words: readonly string[], text: string): boolean {
  const group = words.slice(0, -1).join(' ')
  const row = new RegExp(`katman ${group}.*\`${words.at(-1)}\``)
  return new RegExp(`\\bkatman ${words.join(' ')}(?![\\w-])`).test(text) || row.test(text)
}
