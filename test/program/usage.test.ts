import { spawn } from 'node:child_process'
import { symlink } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { commandGroups, commands } from '../../packages/cli/src/command-table.ts'
import { pathsOf } from '../../packages/cli/src/find-command.ts'
import { openProgram, type ProgramResult, type TestProgram } from './run-in-process.ts'

const program = path.resolve(import.meta.dirname, '../../packages/cli/bin/katman.js')
let katman: TestProgram
beforeEach(async () => {
  katman = await openProgram()
})
afterEach(() => katman[Symbol.asyncDispose]())

describe('help', () => {
  it.each(
    commands.flatMap((command) =>
      pathsOf(command).map((words) => [words.join(' '), command] as const),
    ),
  )('of %s names every flag, fits 100 columns, and opens no store', async (called, command) => {
    const { exitCode, stdout, stderr } = await katman.run(...called.split(' '), '--help')
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(stdout).toContain(`Usage:  katman ${called}`)
    expect(stdout).toContain(command.summary)
    for (const flag of command.flags) {
      if (flag.hidden !== true) expect(stdout).toContain(`--${flag.name}`)
    }
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(100)
  })

  it.each(commandGroups.map(({ path: words }) => words.join(' ')))(
    'of the group %s lists its commands',
    async (group) => {
      const { exitCode, stdout } = await katman.run(...group.split(' '), '--help')
      expect(exitCode).toBe(0)
      for (const command of commands) {
        const own = pathsOf(command).find((words) => words.slice(0, -1).join(' ') === group)
        if (own !== undefined) expect(stdout).toMatch(new RegExp(`^  ${own.at(-1)} `, 'm'))
      }
    },
  )

  it.each([[['--help']], [['help']], [['-h']], [[]]])('of the program with %j', async (words) => {
    const { stdout, stderr } = await katman.run(...words)
    for (const { path: own, hidden } of commands) {
      if (own.length === 1 && hidden !== true)
        expect(stdout + stderr).toMatch(new RegExp(`^  ${own[0]} `, 'm'))
    }
  })
})

describe('a mistake', () => {
  it.each([
    [['pull', '--platfrom', 'x', 'y'], 'katman', 'hint: --platform\n'],
    [['image', 'rm', '--forc', 'y'], 'katman', 'hint: --force\n'],
    [['pull', '--platfrom', 'x', 'y'], 'docker', "Run 'docker pull --help' for more information\n"],
    [['pull', '--nonsense', 'y'], 'katman', "Run 'katman pull --help' for more information\n"],
  ])('in an option (%j, as %s) ends with %s', async (words, called, ending) => {
    const { exitCode, stderr } = await katman.runWith({ program: called }, ...words)
    expect(exitCode).toBe(125)
    expect(stderr.endsWith(ending)).toBe(true)
  })

  it.each([
    ['pul', 'katman pull'],
    ['imagse', 'katman image'],
    ['image lss', 'katman image ls'],
    ['buildx imagetools inspct', 'katman buildx imagetools inspect'],
  ])('in the command (%s) is met with %s', async (words, hint) => {
    const { exitCode, stderr } = await katman.run(...words.split(' '))
    expect(exitCode).toBe(1)
    expect(stderr).toContain(`katman: unknown command: katman ${words}\n`)
    expect(stderr).toMatch(new RegExp(`hint: ${hint}\n$`))
  })

  it('in a flag or in the number of arguments shows the usage', async () => {
    const flag = await katman.run('pull', '--nope', 'x')
    expect(flag).toMatchObject({ exitCode: 125, stdout: '' })
    expect(flag.stderr).toMatch(/^unknown flag: --nope\n\nUsage: {2}katman pull \[OPTIONS\]/)
    const count = await katman.run('history')
    expect(count.exitCode).toBe(1)
    expect(count.stderr).toMatch(/^katman: 'katman history' requires 1 argument\n/)
  })

  it('never shows a stack', async () => {
    for (const words of [
      'pull x@y',
      'images --filter x',
      'inspect {{',
      'rmi ""',
      'tag a b',
      'layers /',
      'load -i /nope',
      'fsck --format x',
      'tags :',
    ]) {
      const { stderr, stdout } = await katman.run(...words.split(' '))
      expect(stdout + stderr, words).not.toMatch(/^ {4}at /m)
    }
  })
})

describe('the process', () => {
  const start = (name: string, words: readonly string[], env: NodeJS.ProcessEnv = {}) =>
    spawn(name, words, {
      env: {
        PATH: process.env['PATH'],
        HOME: katman.folder,
        KATMAN_ROOT: path.join(katman.folder, 'store'),
        ...env,
      },
    })
  const finish = (child: ReturnType<typeof start>): Promise<ProgramResult> =>
    new Promise((resolve, reject) => {
      const text = { stdout: '', stderr: '' }
      child.stdout.on('data', (chunk: Buffer) => (text.stdout += chunk.toString()))
      child.stderr.on('data', (chunk: Buffer) => (text.stderr += chunk.toString()))
      child.on('error', reject)
      child.on('close', (code) => resolve({ exitCode: code ?? -1, ...text }))
    })

  it('is docker when it is linked as docker', async () => {
    const link = path.join(katman.folder, 'docker')
    await symlink(program, link)
    const { exitCode, stderr } = await finish(start(link, ['pull']))
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/^docker: 'docker pull' requires 1 argument\n/)
  })

  it('ends quietly when its reader goes away, as docker does', async () => {
    const child = start(program, ['--help'])
    child.stdout.destroy()
    const { exitCode, stderr } = await finish(child)
    expect({ exitCode, stderr }).toEqual({ exitCode: 141, stderr: '' })
  })

  it('starts with the chosen root and makes it for its owner alone', async () => {
    const root = path.join(katman.folder, 'chosen')
    const { exitCode, stdout } = await finish(start(program, ['--root', root, 'info']))
    expect(exitCode).toBe(0)
    expect(stdout).toContain(`Store: ${root}\n`)
  })
})

describe('what is kept from harm', () => {
  it('a password in the address of a proxy is not printed', async () => {
    for (const address of [
      'http://u:secret@proxy',
      'u:secret@proxy:3128',
      'http://u:se/cr@et@proxy',
    ]) {
      const { stdout } = await katman.runWith({ env: { HTTPS_PROXY: address } }, 'info')
      expect(stdout).toContain('***@proxy')
      expect(stdout).not.toMatch(/secret|cr@et/)
    }
  })
})
