import { mediaTypes } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import { openMemoryDatabase } from './databases.ts'
import { createContext, type DistributionContext } from '../src/distribution/context.ts'
import { createHookJob, type ImageHook, queueHooks } from '../src/events/image-hook.ts'
import { type Database, migrate } from '../src/index.ts'
import { createJobRunner } from '../src/jobs/runner.ts'
import { openMemoryObjects } from '../src/objects/memory-objects.ts'
import { createSeed, type Seed } from './seed.ts'

interface World extends AsyncDisposable {
  readonly database: Database
  readonly seed: Seed
  /** Does what is due. */
  work(): Promise<void>
}

async function openWorld(hook: ImageHook): Promise<World> {
  const database = await openMemoryDatabase()
  await migrate(database)
  const listeners = [queueHooks([hook])]
  const seed = createSeed(database, listeners)
  const core: DistributionContext = createContext({
    database,
    objects: openMemoryObjects(),
    listeners,
  })
  const runner = createJobRunner(database, [createHookJob(hook, core)], {
    now: () => seed.now,
    random: () => 1,
  })
  return {
    database,
    seed,
    async work() {
      await runner.runDue()
    },
    async [Symbol.asyncDispose]() {
      await runner.stop()
      await database.close()
    },
  }
}

const artifactType = 'application/vnd.example.layer-count'

/** Attaches how many layers an image has, and how large its config is. */
const countLayers: ImageHook = {
  name: 'count-layers',
  wants: ({ mediaType }) => mediaType === mediaTypes.ociManifest,
  async run(image) {
    const { layers, config } = JSON.parse(Buffer.from(image.manifest).toString())
    let configSize = 0
    for await (const chunk of (await image.openBlob(config.digest)) ?? [])
      configSize += chunk.byteLength
    const content = Buffer.from(JSON.stringify({ layers: layers.length, configSize }))
    await image.attach({ artifactType, mediaType: 'application/json', content })
  },
}

describe('queueHooks and createHookJob', () => {
  it('look at an image after its push and attach what they found', async () => {
    await using world = await openWorld(countLayers)
    const repository = await world.seed.repository('team/app')
    const digest = await world.seed.image(repository, { tag: '1' })
    await world.work()
    const referrers = await world.database.all<{ readonly bytes: Uint8Array }>(
      'SELECT bytes FROM manifests WHERE subject = ? AND artifact_type = ?',
      [digest, artifactType],
    )
    expect(referrers).toHaveLength(1)
    const document = JSON.parse(Buffer.from(referrers[0]?.bytes ?? '').toString())
    expect(document.subject.digest).toBe(digest)
    const blob = await world.database.get<{ readonly data: Uint8Array }>(
      'SELECT data FROM blobs WHERE digest = ?',
      [document.layers[0].digest],
    )
    expect(JSON.parse(Buffer.from(blob?.data ?? '').toString())).toEqual({
      layers: 1,
      configSize: expect.any(Number),
    })
    // What a hook attached is not looked at in turn.
    expect(await world.database.all('SELECT id FROM jobs')).toEqual([])
  })

  it('try again when they fail, and attach the same once', async () => {
    let runs = 0
    await using world = await openWorld({
      name: 'flaky',
      async run(image) {
        await image.attach({ artifactType, mediaType: 'text/plain', content: Buffer.from('found') })
        runs += 1
        if (runs === 1) throw new Error('not yet')
      },
    })
    await world.seed.image(await world.seed.repository('team/app'))
    await world.work()
    world.seed.now += 10_000
    await world.work()
    expect(runs).toBe(2)
    const found = await world.database.all('SELECT digest FROM manifests WHERE subject IS NOT NULL')
    expect(found).toHaveLength(1)
  })

  it('leave alone what they do not want, and what was deleted meanwhile', async () => {
    let runs = 0
    await using world = await openWorld({
      ...countLayers,
      async run() {
        runs += 1
      },
    })
    const repository = await world.seed.repository('team/app')
    await world.seed.index(repository, [])
    await world.seed.image(repository)
    await world.database.run('DELETE FROM manifests')
    await world.work()
    expect(runs).toBe(0)
    expect(await world.database.all('SELECT id FROM jobs')).toEqual([])
  })
})
