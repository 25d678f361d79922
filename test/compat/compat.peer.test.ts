import { describe, expect, it } from 'vitest'
import type { TestContext } from 'vitest'

import { testImages } from '../peers/images.ts'
import { describePeers } from '../peers/require-peer.ts'
import { checkKatman } from './check-katman.ts'
import { createCatalog } from './fixtures.ts'
import { normalise } from './normalise.ts'
import { readRecording } from './recording.ts'
import { startRealRegistries, startSmallRegistries } from './registries.ts'
import type { Registries } from './registries.ts'
import { runDocker } from './run-docker.ts'
import { runKatman } from './run-katman.ts'
import { steps } from './steps.ts'

const registryPeers = ['docker-registry', 'htpasswd', 'skopeo', 'images'] as const

describePeers('the recorded docker', ['root', 'docker', 'dockerd', ...registryPeers], () => {
  it('is what docker prints today', async (context) => {
    const catalog = createCatalog(testImages())
    await using registries = await startRealRegistries(catalog, testImages())
    await expectRecorded(context, registries)
  })

  it('prints the same with the small registry of the unit tests', async (context) => {
    await using registries = await startSmallRegistries(createCatalog(testImages()))
    await expectRecorded(context, registries)
  })
})

describePeers('katman as docker, with the real registry', registryPeers, () => {
  describe('every step', () => {
    checkKatman(async () => {
      const catalog = createCatalog(testImages())
      await using registries = await startRealRegistries(catalog, testImages())
      return await runKatman(steps, catalog, registries)
    })
  })
})

async function expectRecorded(context: TestContext, registries: Registries): Promise<void> {
  const recorded = readRecording()
  const today = await runDocker(steps, createCatalog(testImages()), registries)
  if (today.client !== recorded.client || today.engine !== recorded.engine) {
    context.skip(`this is docker ${today.client}/${today.engine}, not the recorded one`)
  }
  for (const [index, step] of steps.entries()) {
    const now = today.steps[index]
    const then = recorded.steps[index]
    if (now === undefined || then === undefined) throw new Error(`${step.id} is missing`)
    expect.soft(normalise(step, now), step.id).toEqual(normalise(step, then))
  }
}
