import { existsSync } from 'node:fs'
import { readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { tarBytes } from '@katman/layer'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openProgram, type TestProgram } from '../program/run-in-process.ts'

let katman: TestProgram
beforeEach(async () => {
  katman = await openProgram()
  await writeFile(file('files.tar'), tarBytes([{ name: 'etc/hello', content: 'hello\n' }]))
  expect(await katman.run('import', file('files.tar'), 'app:1')).toMatchObject({ exitCode: 0 })
})
afterEach(() => katman[Symbol.asyncDispose]())

const file = (name: string): string => path.join(katman.folder, name)

describe('export', () => {
  it('writes the same archive to a file and to standard output', async () => {
    expect(await katman.run('export', '-o', file('out.tar'), 'app:1')).toEqual({
      exitCode: 0,
      stdout: '',
      stderr: '',
    })
    const written = await readFile(file('out.tar'))
    expect(written.toString('latin1')).toContain('hello\n')
    const { stdout } = await katman.run('image', 'export', 'app:1')
    expect(Buffer.from(stdout).equals(written)).toBe(true)
  })

  it.each<[string, readonly string[], string]>([
    ['an unknown image', ['nope'], 'Error response from daemon: No such image: nope:latest'],
    [
      'a platform that is not there',
      ['--platform', 'linux/s390x', 'app:1'],
      'Error response from daemon: ',
    ],
    ['a folder', ['-o', '/tmp', 'app:1'], 'failed to export image: cannot write to a directory'],
    [
      'a folder that is not there',
      ['-o', '/nope/x.tar', 'app:1'],
      'failed to export image: invalid output path: stat /nope: no such file or directory',
    ],
  ])('refuses %s', async (_, words, message) => {
    const { exitCode, stderr } = await katman.run('export', ...words)
    expect(exitCode).toBe(1)
    expect(stderr).toContain(message)
  })

  it('refuses a terminal', async () => {
    const result = await katman.runWith({ isTerminal: true }, 'export', 'app:1')
    expect(result).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: 'cowardly refusing to save to a terminal. Use the -o flag or redirect\n',
    })
  })

  it('leaves no file when a layer is damaged', async () => {
    const blobs = file('store/blobs/sha256')
    for (const name of await readdir(blobs)) {
      const bytes = await readFile(path.join(blobs, name))
      if (bytes[0] === 0x1f) await truncate(path.join(blobs, name), bytes.length - 10)
    }
    expect(await katman.run('export', '-o', file('out.tar'), 'app:1')).toMatchObject({
      exitCode: 1,
    })
    expect(existsSync(file('out.tar'))).toBe(false)
    expect((await readdir(katman.folder)).filter((name) => name.startsWith('out.tar'))).toEqual([])
  })
})
