import { expect, it } from 'vitest'
import { createReplication } from '../../src/replication/replication.ts'
import { createJobRunner } from '../../src/jobs/runner.ts'
import { describePostgres } from '../databases.ts'
import { addImage, digestOf } from '../support.ts'
import { openCache } from './cache.ts'
import { openTestContent } from './content.ts'
import { startUpstream } from './upstream.ts'

describePostgres('a cache on PostgreSQL', (open) => {
  it('fetches once for two replicas, revalidates, forgets what is gone and evicts', async () => {
    await using upstream = await startUpstream()
    const digest = await addImage(upstream.registry, 'app', '1')
    await addImage(upstream.registry, 'app', '2')
    const up = { registry: 'up.test', prefix: 'up', url: `http://${upstream.host}` }
    const options = { ...up, isPrivate: true, tagSeconds: 60, keepDays: 30 }
    await using first = await openCache([options], { open })
    await using second = first.replica()
    const layer = digestOf('layer of 1')
    for (const target of ['manifests/1', `blobs/${layer}`]) {
      upstream.asked.length = 0
      const answers = await Promise.all(
        [first, second, first, second].map(async (cache) => {
          const answer = await cache.ask('GET', `up/app/${target}`)
          return [answer.status, digestOf(await answer.read())]
        }),
      )
      expect(new Set(answers.map(String)).size, String(answers)).toBe(1)
      expect(answers[0]?.[0]).toBe(200)
      expect(upstream.asked.filter((line) => line.startsWith('GET'))).toHaveLength(1)
      await first.pullThrough.settled()
      await second.pullThrough.settled()
    }
    first.wait(61)
    const again = await second.ask('GET', 'up/app/manifests/1')
    expect(again.headers['docker-content-digest']).toBe(digest)
    await first.ask('GET', 'up/app/manifests/2')
    await upstream.registry.send('DELETE', 'app/manifests/2')
    first.wait(61)
    expect((await first.ask('GET', 'up/app/manifests/2')).status).toBe(404)
    await first.idle()
    first.wait(31 * 86_400)
    expect(await first.evict()).toBe(2)
    expect(await first.content.tags('up/app')).toEqual([])
  })
})

describePostgres('replication on PostgreSQL', (open) => {
  it('copies by schedule, and writes down what it did', async () => {
    await using peer = await startUpstream()
    await addImage(peer.registry, 'app', '1')
    await using test = await openTestContent(open)
    const { content, database } = test
    const remote = { registry: 'peer.test', url: `http://${peer.host}`, isPrivate: true }
    const rule = { name: 'in', direction: 'pull', repositories: ['app'], everySeconds: 60 } as const
    await using rules = createReplication({
      rules: [{ ...rule, remote }],
      content,
      database,
      userAgent: 'katman/test',
      now: Date.now,
    })
    await createJobRunner(database, rules.jobs, { now: Date.now }).runDue()
    expect(await rules.runs('in', 5)).toMatchObject([
      { cause: 'schedule', state: 'done', report: { copied: 1, failed: 0, movedBlobs: 2 } },
    ])
    expect(await content.tags('app')).toEqual(['1'])
  })
})
