import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

import type { Catalog } from './fixtures.ts'
import type { Registries } from './registries.ts'
import { runSequence } from './sequence.ts'
import type { Outcome, Step } from './step.ts'

/** The program to run: `KATMAN_TEST_PROGRAM` (a built release), else this checkout's. */
const KATMAN_PROGRAM =
  process.env['KATMAN_TEST_PROGRAM'] ??
  path.resolve(import.meta.dirname, '../../packages/cli/bin/katman.js')

/** True when the program is there. */
export function hasKatman(): boolean {
  return existsSync(KATMAN_PROGRAM)
}

/** Runs the steps with Katman linked as `docker`, with a fresh root and home. */
export async function runKatman(
  steps: readonly Step[],
  catalog: Catalog,
  registries: Registries,
): Promise<Outcome[]> {
  const directory = await mkdtemp(path.join(tmpdir(), 'katman-compat-'))
  try {
    const home = path.join(directory, 'home')
    const programs = path.join(directory, 'bin')
    await mkdir(home)
    await mkdir(programs)
    await symlink(KATMAN_PROGRAM, path.join(programs, 'docker'))
    // `env node` in the program's first line must find the Node that runs this test.
    const node = path.dirname(process.execPath)
    return await runSequence(steps, catalog, {
      program: path.join(programs, 'docker'),
      env: {
        PATH: `${programs}:${node}:/usr/bin:/bin`,
        HOME: home,
        KATMAN_ROOT: path.join(directory, 'root'),
        TZ: 'UTC',
        LANG: 'C.UTF-8',
      },
      registry: registries.open,
      authRegistry: registries.withPassword,
      hub: registries.hub,
      empty: registries.empty,
      home,
      masks: [[directory, '/ENGINE']],
    })
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
