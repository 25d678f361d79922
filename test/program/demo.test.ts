import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openProgram, type TestProgram } from './run-in-process.ts'

let katman: TestProgram
beforeEach(async () => {
  katman = await openProgram()
})
afterEach(() => katman[Symbol.asyncDispose]())

const demoFolders = async (): Promise<number> =>
  (await readdir(tmpdir())).filter((name) => name.startsWith('katman-demo-')).length

describe('demo', () => {
  it.each([
    ['--lang en', {}, 'Ask the registry what it has. Nothing is downloaded.'],
    ['--lang tr', {}, 'Eski imaj etiketini yitirdi, ama özetiyle hâlâ biliniyor.'],
    ['', { LANG: 'tr_TR.UTF-8' }, 'Eski imaj etiketini yitirdi, ama özetiyle hâlâ biliniyor.'],
    ['', { LANG: 'de_DE.UTF-8' }, 'Ask the registry what it has. Nothing is downloaded.'],
  ])('%s with %j walks through the main job', async (flags, env, text) => {
    const before = await demoFolders()
    const words = ['demo', ...flags.split(' ').filter((word) => word !== '')]
    const { exitCode, stdout, stderr } = await katman.runWith({ env }, ...words)
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(stdout).toContain(text)
    const commands = Array.from(stdout.matchAll(/^\$ katman (\S+)/gm), ([, command]) => command)
    expect(commands).toEqual([
      'manifest',
      'pull',
      'images',
      'inspect',
      'history',
      'layers',
      'pull',
      'pull',
      'pull',
      'images',
      'tag',
      'push',
      'cp',
      'search',
      'save',
      'load',
      'generate-key-pair',
      'sign',
      'verify',
      'referrers',
      'fsck',
      'rmi',
    ])
    expect(stdout).toMatch(/: Already exists\n/)
    expect(stdout).toMatch(/: Mounted from demo\/app\n/)
    expect(stdout).toMatch(/\/team\/app:2\.0: verified\n/)
    expect(stdout).toMatch(/files checked, clean\n/)
    expect(await demoFolders()).toBe(before)
  })

  it('refuses a language it does not speak', async () => {
    const { exitCode, stderr } = await katman.run('demo', '--lang', 'xx')
    expect(exitCode).not.toBe(0)
    expect(stderr).toContain('xx')
  })
})
