import { randomBytes } from 'node:crypto'
import { mediaTypes } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import { createJobRunner } from '../../src/jobs/runner.ts'
import { openContentPlace } from '../../src/replication/content-place.ts'
import { createReplication, type Replication } from '../../src/replication/replication.ts'
import type { ReplicationRuleOptions } from '../../src/replication/rule.ts'
import { createRule } from '../../src/replication/rule.ts'
import { createThrottle } from '../../src/replication/throttle.ts'
import { addImage, digestOf } from '../support.ts'
import { openTestContent, type TestContent } from './content.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

function replicate(
  test: TestContent,
  peer: TestUpstream,
  rule: Partial<ReplicationRuleOptions> & Pick<ReplicationRuleOptions, 'direction'>,
  now = Date.now,
): Replication {
  const remote = { registry: 'peer.test', url: `http://${peer.host}`, isPrivate: true }
  const { content, database } = test
  return createReplication({
    rules: [{ name: 'rule', remote, ...rule }],
    content,
    database,
    userAgent: 'katman/test',
    now,
  })
}

/** Puts an image into our own registry by copying it out of another. */
async function addHere(test: TestContent, peer: TestUpstream, repository: string, tag: string) {
  await addImage(peer.registry, 'seed', tag, `${repository}:${tag}`)
  const place = openContentPlace(test.content, repository)
  await using rules = replicate(test, peer, {
    direction: 'pull',
    repositories: ['seed'],
    tags: [tag],
    rename: { from: 'seed', to: repository },
  })
  await rules.run('rule')
  return await place.resolve(tag)
}

describe('a rule that pulls', () => {
  it('brings in what fits, with other names, and moves nothing the next time', async () => {
    await using peer = await startUpstream()
    await using test = await openTestContent()
    for (const [repository, tag] of [
      ['team/app', '1'],
      ['team/app', '2-rc'],
      ['team/sub/app', '1'],
      ['other/app', '1'],
    ] as const) {
      await addImage(peer.registry, repository, tag, `${repository}:${tag}`)
    }
    await using rules = replicate(test, peer, {
      direction: 'pull',
      repositories: ['team/**'],
      exceptTags: ['*-rc'],
      rename: { from: 'team/', to: 'copy/' },
    })
    expect(await rules.run('rule')).toMatchObject({ copied: 2, same: 0, failed: 0 })
    expect(await test.content.tags('copy/app')).toEqual(['1'])
    expect(await test.content.tags('copy/sub/app')).toEqual(['1'])
    expect(await test.content.tags('copy/app/other')).toEqual([])
    peer.asked.length = 0
    expect(await rules.run('rule')).toMatchObject({ copied: 0, same: 2, movedBlobs: 0 })
    expect(peer.asked.filter((line) => line.includes('/blobs/'))).toEqual([])
  })

  it('says what it would do and changes nothing', async () => {
    await using peer = await startUpstream()
    await using test = await openTestContent()
    await addImage(peer.registry, 'app', '1')
    await using rules = replicate(test, peer, { direction: 'pull', repositories: ['app'] })
    const told: string[] = []
    const onEvent = (event: { readonly type: string }): number => told.push(event.type)
    expect(await rules.run('rule', { dryRun: true, onEvent })).toMatchObject({ copied: 1 })
    expect(told).toEqual(['repository', 'would-copy'])
    expect(await test.database.all('SELECT name FROM repositories')).toEqual([])
    expect(await rules.runs('rule', 5)).toEqual([])
  })

  it('tells what failed, goes on with the rest, and writes it down', async () => {
    await using peer = await startUpstream()
    await using test = await openTestContent()
    const bad = await addImage(peer.registry, 'app', '1', 'bad')
    await addImage(peer.registry, 'app', '2', 'good')
    const layer = digestOf('layer of bad')
    await using rules = replicate(test, peer, { direction: 'pull', repositories: ['app'] })
    peer.behave = (incoming, outgoing) => {
      if (incoming.url?.endsWith(layer) !== true) return false
      outgoing.writeHead(404).end()
      return true
    }
    expect(await rules.run('rule')).toMatchObject({ copied: 1, failed: 1 })
    expect(await test.content.tags('app')).toEqual(['2'])
    expect(await test.content.manifest('app', bad)).toBeUndefined()
    expect(await rules.runs('rule', 1)).toMatchObject([
      {
        state: 'incomplete',
        cause: 'asked',
        report: { copied: 1, failed: 1 },
        failures: [{ repository: 'app', reference: '1', code: 'BLOB_UNKNOWN' }],
      },
    ])
    peer.behave = () => false
    expect(await rules.run('rule')).toMatchObject({ copied: 1, same: 1, failed: 0 })
  })

  it('gets nothing of other repositories for a digest alone', async () => {
    await using peer = await startUpstream()
    await using test = await openTestContent()
    for (const [name, bytes] of [
      ['large', randomBytes(300_000)],
      ['small', Buffer.from('secret')],
    ] as const) {
      const blob = { digest: digestOf(bytes), size: bytes.byteLength }
      await test.content.putBlob('private/app', blob, async function* () {
        yield bytes
      })
      await peer.registry.addBlob(name, bytes)
      await peer.registry.addManifest(name, 'thief', {
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        config: { mediaType: mediaTypes.ociConfig, ...blob },
        layers: [],
      })
      await using rules = replicate(test, peer, { direction: 'pull', repositories: [name] })
      // The peer names the blob and has other bytes.
      peer.behave = (incoming, outgoing) => {
        if (incoming.url?.includes('/blobs/') !== true) return false
        outgoing.writeHead(200, { 'content-length': bytes.byteLength })
        outgoing.end(Buffer.alloc(bytes.byteLength))
        return true
      }
      expect(await rules.run('rule')).toMatchObject({ copied: 0, failed: 1 })
      expect(await test.content.blobSize(name, blob.digest)).toBeUndefined()
      peer.behave = () => false
      expect(await rules.run('rule')).toMatchObject({ copied: 1, failed: 0 })
      expect(await test.content.blobSize(name, blob.digest)).toBe(bytes.byteLength)
    }
  })

  it('goes on where it was stopped', async () => {
    await using peer = await startUpstream()
    await using test = await openTestContent()
    for (const tag of ['1', '2', '3', '4']) await addImage(peer.registry, 'app', tag)
    await using rules = replicate(test, peer, { direction: 'pull', repositories: ['app'] })
    const stop = new AbortController()
    const stopped = rules.run('rule', {
      signal: stop.signal,
      onEvent(event) {
        if (event.type === 'copied' && event.reference === '2') stop.abort(new Error('killed'))
      },
    })
    await expect(stopped).rejects.toThrow('killed')
    expect(await rules.runs('rule', 1)).toMatchObject([{ state: 'interrupted' }])
    expect(await rules.run('rule')).toMatchObject({ copied: 2, same: 2 })
  })

  it('takes away what the source took away, only when it is told to', async () => {
    await using peer = await startUpstream()
    await using test = await openTestContent()
    for (const tag of ['1', '2', 'keep']) await addImage(peer.registry, 'app', tag)
    const rule = { direction: 'pull', repositories: ['app'], tags: ['*'] } as const
    await using rules = replicate(test, peer, rule)
    await rules.run('rule')
    await peer.registry.send('DELETE', 'app/manifests/2')
    expect(await rules.run('rule')).toMatchObject({ deleted: 0 })
    expect(await test.content.tags('app')).toEqual(['1', '2', 'keep'])
    await using strict = replicate(test, peer, { ...rule, deletes: true })
    expect(await strict.run('rule')).toMatchObject({ deleted: 1, same: 2 })
    expect(await test.content.tags('app')).toEqual(['1', 'keep'])
  })
})

describe('a rule that pushes', () => {
  it('copies what was pushed as soon as the queue runs, and its signature that comes later', async () => {
    await using peer = await startUpstream()
    await using test = await openTestContent()
    const root = await addHere(test, peer, 'team/app', '1')
    await using rules = replicate(test, peer, {
      direction: 'push',
      repositories: ['team/*'],
      rename: { from: '', to: 'mirror/' },
      onPush: true,
      deletes: true,
    })
    const runner = createJobRunner(test.database, rules.jobs, { now: Date.now })
    const repository = { id: 1, name: 'team/app', namespace: 'team' }
    const tell = async (change: object) => {
      await test.database.transaction((transaction) =>
        rules.listener(transaction, { repository, actor: undefined, at: 1, ...change } as never),
      )
      await runner.runDue()
    }
    await tell({ kind: 'tag-set', tag: '1', digest: root.digest, previous: undefined })
    const copied = await peer.registry.send('HEAD', 'mirror/team/app/manifests/1')
    expect(copied.headers.get('docker-content-digest')).toBe(root.digest)

    const place = openContentPlace(test.content, 'team/app')
    const signature = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        artifactType: 'application/x-signature',
        config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf('{}'), size: 2 },
        layers: [],
        subject: root,
      }),
    )
    const empty = {
      mediaType: 'application/vnd.oci.empty.v1+json',
      digest: digestOf('{}'),
      size: 2,
    }
    await place.write(empty, async () => bytesOf(Buffer.from('{}')))
    const digest = digestOf(signature)
    const signed = { mediaType: mediaTypes.ociManifest, digest, size: signature.byteLength }
    await place.write(signed, async () => bytesOf(signature))
    await tell({ kind: 'manifest-put', digest, subject: root.digest, isNew: true })
    const listed = await peer.registry.send('GET', `mirror/team/app/referrers/${root.digest}`)
    expect(await listed.json()).toMatchObject({ manifests: [{ digest }] })

    await test.content.deleteTag('team/app', '1')
    await tell({ kind: 'tag-deleted', tag: '1', digest: root.digest })
    const gone = await peer.registry.send('HEAD', 'mirror/team/app/manifests/1')
    expect(gone.status).toBe(404)
  })

  it('is tried again later when the other registry is away, and says why it waits', async () => {
    await using peer = await startUpstream()
    await using test = await openTestContent()
    const root = await addHere(test, peer, 'team/app', '1')
    let later = 0
    const now = () => Date.now() + later
    await using rules = replicate(test, peer, { direction: 'push', onPush: true }, now)
    const runner = createJobRunner(test.database, rules.jobs, { now })
    peer.behave = (_incoming, outgoing) => {
      outgoing.writeHead(403).end()
      return true
    }
    const repository = { id: 1, name: 'team/app', namespace: 'team' }
    await test.database.transaction((transaction) =>
      rules.listener(transaction, {
        kind: 'tag-set',
        tag: '1',
        digest: root.digest,
        previous: undefined,
        repository,
        actor: undefined,
        at: now(),
      }),
    )
    await runner.runDue()
    expect(await rules.runs('rule', 1)).toMatchObject([
      { state: 'failed', cause: 'push', failures: [{ repository: 'team/app', reference: '1' }] },
    ])
    peer.behave = () => false
    later = 60_000
    await runner.runDue()
    const copied = await peer.registry.send('HEAD', 'team/app/manifests/1')
    expect(copied.headers.get('docker-content-digest')).toBe(root.digest)
  })
})

describe('a schedule', () => {
  it('runs a rule when its time has come, once', async () => {
    await using peer = await startUpstream()
    await using test = await openTestContent()
    await addImage(peer.registry, 'app', '1')
    let later = 0
    const now = () => Date.now() + later
    const rule = { direction: 'pull', repositories: ['app'], everySeconds: 3600 } as const
    await using rules = replicate(test, peer, rule, now)
    const runner = createJobRunner(test.database, rules.jobs, { now })
    await runner.runDue()
    expect(await rules.runs('rule', 5)).toMatchObject([{ cause: 'schedule', state: 'done' }])
    later = 1_800_000
    await runner.runDue()
    expect(await rules.runs('rule', 5)).toHaveLength(1)
    later = 3_700_000
    await runner.runDue()
    expect(await rules.runs('rule', 5)).toHaveLength(2)
  })
})

describe('createThrottle', () => {
  it('lets no more through than is allowed, over all streams', async () => {
    let clock = 0
    const throttle = createThrottle(1000, {
      now: () => clock,
      sleep: async (ms) => {
        clock += ms
      },
    })
    for (let stream = 0; stream < 2; stream++) {
      for await (const chunk of throttle(bytesOf(randomBytes(5000)))) {
        expect(chunk.byteLength).toBe(5000)
      }
    }
    expect(clock).toBe(10_000)
  })
})

describe('createRule', () => {
  const remote = { registry: 'peer.test' }
  it.each([
    [{ name: 'a b', direction: 'pull', remote }, 'other characters'],
    [{ name: 'a', direction: 'pull', remote, onPush: true }, 'on-push'],
    [{ name: 'a', direction: 'pull', remote, everySeconds: 1 }, '10 seconds'],
    [{ name: 'a', direction: 'pull', remote: { registry: '' } }, 'no host'],
  ] as const)('refuses %j', (options, reason) => {
    expect(() => createRule(options)).toThrow(reason)
  })
})

async function* bytesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
