import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

import { startDockerd } from '../peers/dockerd.ts'
import { startRegistry } from '../peers/registry.ts'
import { dockerClient } from '../peers/require-peer.ts'
import { runChecked } from '../peers/terminal.ts'
import { fillRegistry } from './fill-registry.ts'
import { createCatalog } from './fixtures.ts'
import type { Catalog } from './fixtures.ts'
import { runSequence } from './sequence.ts'
import type { Recording, Step } from './step.ts'

/** The user of the registry with a password. */
export const USERS = { alice: 'secret' } as const

/** How that user's requests are signed. */
export const AUTHORIZATION = `Basic ${Buffer.from(`alice:${USERS.alice}`).toString('base64')}`

/** Runs the steps with the real docker against a fresh engine and fresh real registries. */
export async function runDocker(steps: readonly Step[], layout: string): Promise<Recording> {
  const program = dockerClient()
  if (program === undefined) throw new Error('there is no docker client')
  const catalog = createCatalog(layout)
  await using registry = await startRegistry()
  await using authRegistry = await startRegistry({ users: USERS })
  await fillRegistry(registry, catalog, layout)
  await fillRegistry(authRegistry, smallCatalog(catalog), layout, AUTHORIZATION)
  await using dockerd = await startDockerd()
  const home = await mkdtemp(path.join(tmpdir(), 'katman-home-'))
  try {
    const env = {
      PATH: process.env['PATH'],
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
        registry: registry.host,
        authRegistry: authRegistry.host,
        masks: [
          [dockerd.directory, '/ENGINE'],
          [home, '/HOME'],
        ],
      }),
    }
  } finally {
    await rm(home, { recursive: true, force: true })
  }
}

/** What the registry with a password holds: one image. */
export function smallCatalog(catalog: Catalog): Catalog {
  const entries = catalog.entries.filter((entry) => entry.repository === 'team/legacy')
  return { ...catalog, entries }
}
