import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

import { startDockerd } from '../peers/dockerd.ts'
import { dockerClient } from '../peers/require-peer.ts'
import { runChecked } from '../peers/terminal.ts'
import type { Catalog } from './fixtures.ts'
import type { Registries } from './registries.ts'
import { runSequence } from './sequence.ts'
import type { Recording, Step } from './step.ts'

/** Runs the steps with the real docker against a fresh engine, with an empty home. */
export async function runDocker(
  steps: readonly Step[],
  catalog: Catalog,
  registries: Registries,
): Promise<Recording> {
  const program = dockerClient()
  if (program === undefined) throw new Error('there is no docker client')
  await using dockerd = await startDockerd()
  const home = await mkdtemp(path.join(tmpdir(), 'katman-home-'))
  try {
    const env = {
      // Not this machine's: docker would keep passwords in `pass` where that is installed.
      PATH: path.join(home, 'bin'),
      HOME: home,
      DOCKER_HOST: dockerd.host,
      TZ: 'UTC',
      LANG: 'C.UTF-8',
    }
    const version = async (side: string): Promise<string> => {
      const answer = await runChecked(program, ['version', '-f', `{{.${side}.Version}}`], { env })
      return answer.stdout.trim()
    }
    return {
      client: await version('Client'),
      engine: await version('Server'),
      steps: await runSequence(steps, catalog, {
        program,
        env,
        registry: registries.open,
        authRegistry: registries.withPassword,
        hub: registries.hub,
        empty: registries.empty,
        home,
        masks: [[dockerd.directory, '/ENGINE']],
      }),
    }
  } finally {
    await rm(home, { recursive: true, force: true })
  }
}
