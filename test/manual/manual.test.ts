import { describe, expect, it } from 'vitest'
import { commandsPage, readCommandsPage } from './commands-page.ts'

describe('the manual', () => {
  it('has the help of every command (npx node test/manual/commands-page.ts --write)', () => {
    expect(readCommandsPage()).toBe(commandsPage())
  })
})
