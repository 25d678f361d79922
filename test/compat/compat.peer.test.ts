import { describe, expect, it } from 'vitest'

import { testImages } from '../peers/images.ts'
import { startRegistry } from '../peers/registry.ts'
import { describePeers } from '../peers/require-peer.ts'
import { checkKatman } from './check-katman.ts'
import { fillRegistry } from './fill-registry.ts'
import { createCatalog } from './fixtures.ts'
import { normalise } from './normalise.ts'
import { readRecording } from './recording.ts'
import { AUTHORIZATION, runDocker, smallCatalog, USERS } from './run-docker.ts'
import { runKatman } from './run-katman.ts'
import { steps } from './steps.ts'

describePeers(
  'the recorded docker',
  ['root', 'docker', 'dockerd', 'docker-registry', 'htpasswd', 'skopeo', 'images'],
  () => {
    it('is what docker prints today', async (context) => {
      const recorded = readRecording()
      const today = await runDocker(steps, testImages())
      if (today.client !== recorded.client || today.engine !== recorded.engine) {
        context.skip(`this is docker ${today.client}/${today.engine}, not the recorded one`)
      }
      expect(today.steps.map((one) => one.id)).toEqual(recorded.steps.map((one) => one.id))
      for (const [index, step] of steps.entries()) {
        const now = today.steps[index]
        const then = recorded.steps[index]
        if (now === undefined || then === undefined) throw new Error(`${step.id} is missing`)
        expect.soft(normalise(step, now), step.id).toEqual(normalise(step, then))
      }
    })
  },
)

describePeers(
  'katman as docker, with the real registry',
  ['docker-registry', 'htpasswd', 'skopeo', 'images'],
  () => {
    describe('every step', () => {
      checkKatman(async () => {
        const layout = testImages()
        const catalog = createCatalog(layout)
        await using open = await startRegistry()
        await using withPassword = await startRegistry({ users: USERS })
        await fillRegistry(open, catalog, layout)
        await fillRegistry(withPassword, smallCatalog(catalog), layout, AUTHORIZATION)
        const hosts = { open: open.host, withPassword: withPassword.host }
        return runKatman(steps, catalog, hosts)
      })
    })
  },
)
