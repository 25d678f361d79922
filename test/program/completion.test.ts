import { spawnSync } from 'node:child_process'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { openProgram } from './run-in-process.ts'

const program = path.resolve(import.meta.dirname, '../../packages/cli/bin/katman.js')
const bash = '/bin/bash'

describe('completion', () => {
  it.skipIf(!existsSync(bash))('works in bash', async () => {
    await using katman = await openProgram()
    const bin = path.join(katman.folder, 'bin')
    await mkdir(bin)
    const started = path.join(bin, 'katman')
    await writeFile(started, `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`)
    await chmod(started, 0o755)
    const ask = (...words: readonly string[]): string => {
      const typed = words.map((word) => `'${word}'`).join(' ')
      const script = [
        'source <(katman completion bash)',
        `COMP_WORDS=(katman ${typed}) COMP_CWORD=${words.length}`,
        '_katman_complete',
        // oxlint-disable-next-line no-template-curly-in-string -- bash's own
        'printf "%s\\n" "${COMPREPLY[@]}"',
      ].join('\n')
      const env = {
        PATH: `${bin}:/usr/bin:/bin`,
        HOME: katman.folder,
        KATMAN_ROOT: path.join(katman.folder, 'store'),
      }
      return spawnSync(bash, ['--norc', '-c', script], { env, encoding: 'utf8' }).stdout
    }
    expect(ask('pu')).toBe('pull\npush\n')
    expect(ask('image', 'prune', '--dr')).toBe('--dry-run\n')
    expect(ask('rmi', '')).toBe('\n')
  })

  it('names the program as it was called, and refuses other shells', async () => {
    await using katman = await openProgram()
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { stdout } = await katman.runWith({ program: 'docker' }, 'completion', shell)
      expect(stdout).toContain(`docker completion ${shell}`)
      expect(stdout).not.toContain('PROGRAM')
    }
    expect(await katman.run('completion', 'csh')).toMatchObject({
      exitCode: 1,
      stderr: 'there is no completion for csh: choose bash, zsh or fish\n',
    })
  })
})
