import { randomBytes } from 'node:crypto'
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Gate } from '../../src/access.ts'
import { emptySpool } from '../../src/proxy/spool-folder.ts'
import { Refusal } from '../../src/refusal.ts'
import { addImage, digestOf } from '../support.ts'
import { openCache, type TestCache } from './cache.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

const large = randomBytes(3 * 1024 * 1024)

function cacheOf(upstream: TestUpstream, options = {}): Promise<TestCache> {
  return openCache([
    {
      registry: 'up.test',
      prefix: 'up',
      url: `http://${upstream.host}`,
      isPrivate: true,
      ...options,
    },
  ])
}

describe('a cached manifest', () => {
  it('is fetched once for everybody and then served from here', async () => {
    await using upstream = await startUpstream()
    const digest = await addImage(upstream.registry, 'team/app', '1')
    await using cache = await cacheOf(upstream)
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => cache.ask('GET', 'up/team/app/manifests/1')),
    )
    for (const answer of answers) {
      expect(answer.status).toBe(200)
      expect(answer.headers['docker-content-digest']).toBe(digest)
      expect(digestOf(await answer.read())).toBe(digest)
    }
    expect(upstream.asked).toEqual(['GET team/app/manifests/1'])
    expect((await cache.ask('GET', `up/team/app/manifests/${digest}`)).status).toBe(200)
    expect(upstream.asked).toHaveLength(1)
  })

  it('is asked about again by HEAD when its time is over, and fetched only when it changed', async () => {
    await using upstream = await startUpstream()
    const old = await addImage(upstream.registry, 'app', '1', 'old')
    await using cache = await cacheOf(upstream, { tagSeconds: 60 })
    await cache.ask('GET', 'up/app/manifests/1')
    cache.wait(61)
    const conditions: unknown[] = []
    upstream.behave = (incoming, outgoing) => {
      conditions.push(incoming.headers['if-none-match'])
      if (incoming.headers['if-none-match'] === undefined) return false
      outgoing.writeHead(304).end()
      return true
    }
    await Promise.all([1, 2, 3].map(() => cache.ask('GET', 'up/app/manifests/1')))
    expect(upstream.asked).toEqual(['GET app/manifests/1', 'HEAD app/manifests/1'])
    expect(conditions).toEqual([`"${old}"`])
    upstream.behave = () => false
    const changed = await addImage(upstream.registry, 'app', '1', 'new')
    expect((await cache.ask('GET', 'up/app/manifests/1')).headers['docker-content-digest']).toBe(
      old,
    )
    cache.wait(61)
    const answer = await cache.ask('GET', 'up/app/manifests/1')
    expect(answer.headers['docker-content-digest']).toBe(changed)
    expect(answer.headers['warning']).toBeUndefined()
    // What somebody pulls by the old digest meanwhile is still here.
    expect((await cache.ask('GET', `up/app/manifests/${old}`)).status).toBe(200)
  })

  it.each([
    ['refuses for now', 429, { 'retry-after': '120' }],
    ['fails', 503, {}],
  ])('is served with a warning while the upstream %s', async (_, status, headers) => {
    await using upstream = await startUpstream()
    const digest = await addImage(upstream.registry, 'app', '1')
    await using cache = await cacheOf(upstream, { tagSeconds: 60 })
    await cache.ask('GET', 'up/app/manifests/1')
    upstream.behave = (_incoming, outgoing) => {
      outgoing.writeHead(status, headers).end()
      return true
    }
    cache.wait(61)
    const answer = await cache.ask('GET', 'up/app/manifests/1')
    expect(answer.headers['docker-content-digest']).toBe(digest)
    expect(answer.headers['warning']).toMatch(/^299 - "may be out of date: up\.test /)
    const asked = upstream.asked.length
    expect((await cache.ask('GET', 'up/app/manifests/1')).headers['warning']).toBeDefined()
    expect(upstream.asked).toHaveLength(asked)
    upstream.behave = () => false
    cache.wait(121)
    expect((await cache.ask('GET', 'up/app/manifests/1')).headers['warning']).toBeUndefined()
  })

  it('is served with a warning when the upstream is gone or does not answer in time', async () => {
    await using upstream = await startUpstream()
    await addImage(upstream.registry, 'app', '1')
    await using cache = await cacheOf(upstream, { tagSeconds: 60, staleAfterSeconds: 0.2 })
    await cache.ask('GET', 'up/app/manifests/1')
    upstream.behave = () => true
    cache.wait(61)
    expect((await cache.ask('GET', 'up/app/manifests/1')).headers['warning']).toBeDefined()
    await upstream.die()
    cache.wait(61)
    const answer = await cache.ask('GET', 'up/app/manifests/1')
    expect([answer.status, answer.headers['warning']]).toEqual([200, expect.any(String)])
  })

  it('is gone here when the upstream says that its tag is gone', async () => {
    await using upstream = await startUpstream()
    await addImage(upstream.registry, 'app', '1')
    await using cache = await cacheOf(upstream, { tagSeconds: 60 })
    await cache.ask('GET', 'up/app/manifests/1')
    await upstream.registry.send('DELETE', 'app/manifests/1')
    cache.wait(61)
    expect((await cache.ask('GET', 'up/app/manifests/1')).status).toBe(404)
    expect(await cache.content.tag('up/app', '1')).toBeUndefined()
  })

  it('that the upstream does not have is not asked for again and again', async () => {
    await using upstream = await startUpstream()
    await using cache = await cacheOf(upstream, { missingSeconds: 30 })
    for (let time = 0; time < 5; time++) {
      expect((await cache.ask('GET', 'up/none/manifests/1')).status).toBe(404)
    }
    expect(upstream.asked).toEqual(['GET none/manifests/1'])
    cache.wait(31)
    await cache.ask('GET', 'up/none/manifests/1')
    expect(upstream.asked).toHaveLength(2)
    expect(await cache.database.all('SELECT * FROM repositories')).toEqual([])
  })

  it('whose tag moves in the middle of a pull comes by its digest all the same', async () => {
    await using upstream = await startUpstream()
    const old = await addImage(upstream.registry, 'app', '1', 'old')
    await using cache = await cacheOf(upstream)
    const described = await cache.ask('HEAD', 'up/app/manifests/1')
    const moved = await addImage(upstream.registry, 'app', '1', 'new')
    expect(described.headers['docker-content-digest']).toBe(old)
    const pulled = await cache.ask('GET', `up/app/manifests/${old}`)
    expect(digestOf(await pulled.read())).toBe(old)
    const layer = await cache.ask('GET', `up/app/blobs/${digestOf('layer of old')}`)
    expect(String(await layer.read())).toBe('layer of old')
    const next = await cache.ask('GET', 'up/app/manifests/1')
    expect(next.headers['docker-content-digest']).toBe(moved)
  })

  it('is only described for HEAD, once for many', async () => {
    await using upstream = await startUpstream()
    const digest = await addImage(upstream.registry, 'app', '1')
    await using cache = await cacheOf(upstream)
    for (let time = 0; time < 3; time++) {
      const answer = await cache.ask('HEAD', 'up/app/manifests/1')
      expect([answer.status, answer.headers['docker-content-digest']]).toEqual([200, digest])
    }
    expect(upstream.asked).toEqual(['HEAD app/manifests/1'])
  })

  it('is told too many requests with the time the upstream gives, without asking it meanwhile', async () => {
    await using upstream = await startUpstream()
    await using cache = await cacheOf(upstream)
    upstream.behave = (_incoming, outgoing) => {
      outgoing.writeHead(429, { 'retry-after': '90' }).end()
      return true
    }
    const first = await cache.ask('GET', 'up/app/manifests/1')
    expect([first.status, first.headers['retry-after']]).toEqual([429, '90'])
    const asked = upstream.asked.length
    cache.wait(30)
    const second = await cache.ask('GET', 'up/other/manifests/1')
    expect([second.status, second.headers['retry-after']]).toEqual([429, '60'])
    expect(upstream.asked).toHaveLength(asked)
  })
})

describe('a cached blob', () => {
  it('is fetched once for many clients and stored once', async () => {
    await using upstream = await startUpstream()
    const digest = await upstream.registry.addBlob('app', large)
    await using cache = await cacheOf(upstream)
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => cache.ask('GET', `up/app/blobs/${digest}`)),
    )
    for (const answer of answers) {
      expect(answer.headers['content-length']).toBe(String(large.byteLength))
      expect(digestOf(await answer.read())).toBe(digest)
    }
    const blobRequests = upstream.asked.filter((line) => line.startsWith('GET'))
    expect(blobRequests).toHaveLength(1)
    await cache.pullThrough.settled()
    expect(await cache.content.blobSize('up/app', digest)).toBe(large.byteLength)
    expect(digestOf(await (await cache.ask('GET', `up/app/blobs/${digest}`)).read())).toBe(digest)
    expect(upstream.asked.filter((line) => line.startsWith('GET'))).toHaveLength(1)
  })

  it('reaches the client while it still arrives', async () => {
    await using upstream = await startUpstream()
    const digest = digestOf(large)
    let goOn = (): void => undefined
    upstream.behave = (incoming, outgoing) => {
      if (incoming.url === '/v2/') return false
      const headers = { 'content-length': large.byteLength, 'docker-content-digest': digest }
      outgoing.writeHead(200, headers)
      if (incoming.method === 'HEAD') outgoing.end()
      else {
        outgoing.write(large.subarray(0, 1_000_000))
        goOn = () => outgoing.end(large.subarray(1_000_000))
      }
      return true
    }
    await using cache = await cacheOf(upstream)
    const answer = await cache.ask('GET', `up/app/blobs/${digest}`)
    const chunks: Uint8Array[] = []
    let size = 0
    for await (const chunk of answer.body) {
      chunks.push(chunk)
      size += chunk.byteLength
      if (size === 1_000_000) goOn()
    }
    expect(digestOf(Buffer.concat(chunks))).toBe(digest)
  })

  it('that is not what its digest says is cut before its end, and never kept', async () => {
    await using upstream = await startUpstream()
    const digest = digestOf(large)
    const lie = Buffer.from(large)
    lie[5] = (lie[5] ?? 0) ^ 1
    upstream.behave = (incoming, outgoing) => {
      if (incoming.url === '/v2/') return false
      outgoing.writeHead(200, { 'content-length': lie.byteLength, 'docker-content-digest': digest })
      outgoing.end(incoming.method === 'HEAD' ? undefined : lie)
      return true
    }
    await using cache = await cacheOf(upstream)
    const answer = await cache.ask('GET', `up/app/blobs/${digest}`)
    let received = 0
    const reading = (async () => {
      for await (const chunk of answer.body) received += chunk.byteLength
    })()
    await expect(reading).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
    expect(received).toBeLessThan(lie.byteLength)
    await cache.pullThrough.settled()
    expect(await cache.content.blobSize('up/app', digest)).toBeUndefined()
    expect(await cache.database.all('SELECT digest FROM blobs')).toEqual([])
    expect(await cache.database.all('SELECT reference FROM proxy_fetches')).toEqual([])
  })

  it('is kept although its client went away', async () => {
    await using upstream = await startUpstream()
    const digest = await upstream.registry.addBlob('app', large)
    await using cache = await cacheOf(upstream)
    const answer = await cache.ask('GET', `up/app/blobs/${digest}`)
    for await (const chunk of answer.body) {
      expect(chunk.byteLength).toBeGreaterThan(0)
      break
    }
    await cache.pullThrough.settled()
    expect(await cache.content.blobSize('up/app', digest)).toBe(large.byteLength)
  })

  it('is fetched once although two replicas are asked', async () => {
    await using upstream = await startUpstream()
    const digest = await upstream.registry.addBlob('app', large)
    await using first = await cacheOf(upstream)
    await using second = first.replica()
    const answers = await Promise.all(
      [first, second].map(async (cache) => {
        const answer = await cache.ask('GET', `up/app/blobs/${digest}`)
        return digestOf(await answer.read())
      }),
    )
    expect(answers).toEqual([digest, digest])
    expect(upstream.asked.filter((line) => line.startsWith('GET'))).toHaveLength(1)
    await addImage(upstream.registry, 'app', '1')
    upstream.asked.length = 0
    const manifests = await Promise.all(
      [first, second].map((cache) => cache.ask('GET', 'up/app/manifests/1')),
    )
    expect(manifests.map(({ status }) => status)).toEqual([200, 200])
    expect(upstream.asked).toEqual(['GET app/manifests/1'])
  })

  it('is served in a range from what has arrived', async () => {
    await using upstream = await startUpstream()
    const digest = await upstream.registry.addBlob('app', large)
    await using cache = await cacheOf(upstream)
    const answer = await cache.ask('GET', `up/app/blobs/${digest}`, { range: 'bytes=10-19' })
    expect([answer.status, answer.headers['content-range']]).toEqual([
      206,
      `bytes 10-19/${large.byteLength}`,
    ])
    expect(await answer.read()).toEqual(large.subarray(10, 20))
  })

  it('passes HEAD on and fetches nothing', async () => {
    await using upstream = await startUpstream()
    const digest = await upstream.registry.addBlob('app', large)
    await using cache = await cacheOf(upstream)
    const answer = await cache.ask('HEAD', `up/app/blobs/${digest}`)
    expect(answer.headers['content-length']).toBe(String(large.byteLength))
    expect(upstream.asked).toEqual([`HEAD app/blobs/${digest}`])
  })

  it('is never shown whole in a range while it may be something else', async () => {
    await using upstream = await startUpstream()
    const digest = await upstream.registry.addBlob('app', large)
    await using cache = await cacheOf(upstream)
    upstream.behave = (incoming, outgoing) => {
      if (incoming.method !== 'GET' || incoming.url?.endsWith(digest) !== true) return false
      outgoing.writeHead(200, { 'content-length': large.byteLength })
      outgoing.end(Buffer.alloc(large.byteLength))
      return true
    }
    const answer = await cache.ask('GET', `up/app/blobs/${digest}`, { range: 'bytes=10-19' })
    let got = 0
    const read = async (): Promise<void> => {
      for await (const chunk of answer.body) got += chunk.byteLength
    }
    await expect(read()).rejects.toThrow()
    expect(got).toBeLessThan(10)
  })

  it('beyond the limit is refused', async () => {
    await using upstream = await startUpstream()
    const digest = await upstream.registry.addBlob('app', large)
    await using cache = await cacheOf(upstream, { maxBlobBytes: 1000 })
    expect((await cache.ask('GET', `up/app/blobs/${digest}`)).status).toBe(403)
    expect(upstream.asked).toEqual([`HEAD app/blobs/${digest}`])
  })

  it('of the registry itself is not shown through a repository that the upstream does not have it in', async () => {
    await using upstream = await startUpstream()
    await using cache = await cacheOf(upstream)
    const digest = digestOf('secret')
    await cache.content.putBlob('private/app', { digest, size: 6 }, async function* () {
      yield Buffer.from('secret')
    })
    expect((await cache.ask('GET', `up/app/blobs/${digest}`)).status).toBe(404)
    expect((await cache.ask('HEAD', `up/app/blobs/${digest}`)).status).toBe(404)
  })
})

describe('names', () => {
  it('are those of the registry a mirror is asked for', async () => {
    await using upstream = await startUpstream()
    await addImage(upstream.registry, 'library/alpine', '3')
    await addImage(upstream.registry, 'team/app', '1')
    const url = `http://${upstream.host}`
    await using cache = await openCache([
      { registry: 'docker.io', prefix: 'hub', url, isPrivate: true },
      { registry: 'ghcr.io', prefix: 'gh', url, isPrivate: true },
    ])
    for (const target of [
      'hub/alpine/manifests/3',
      'hub/library/alpine/manifests/3',
      'library/alpine/manifests/3?ns=docker.io',
      'alpine/manifests/3?ns=docker.io',
      'team/app/manifests/1?ns=ghcr.io',
    ]) {
      expect((await cache.ask('GET', target)).status, target).toBe(200)
    }
    const header = { 'oci-namespace': 'docker.io' }
    expect((await cache.ask('GET', 'library/alpine/manifests/3', header)).status).toBe(200)
    const rows = await cache.database.all<{ readonly name: string }>(
      'SELECT name FROM repositories ORDER BY name',
    )
    expect(rows.map(({ name }) => name)).toEqual(['gh/team/app', 'hub/library/alpine'])
    // Nor is our own shown as that of a registry we do not stand for.
    expect((await cache.ask('GET', 'hub/library/alpine/manifests/3?ns=quay.io')).status).toBe(404)
    const here = { host: 'here' }
    expect((await cache.ask('GET', 'hub/alpine/manifests/3?ns=here', here)).status).toBe(200)
  })

  it('of our own repositories are never asked for, and nobody pushes into a cache', async () => {
    await using upstream = await startUpstream()
    await addImage(upstream.registry, 'team/app', '1')
    await addImage(upstream.registry, 'team/cached', '1')
    const url = `http://${upstream.host}`
    await using cache = await openCache([{ registry: 'docker.io', url, isPrivate: true }])
    await cache.database.run(
      "INSERT INTO repositories (name, namespace, created_at) VALUES ('team/app', 'team', 1)",
    )
    expect((await cache.ask('GET', 'team/app/manifests/1')).status).toBe(404)
    expect(upstream.asked).toEqual([])
    expect((await cache.ask('POST', 'team/app/blobs/uploads/')).status).toBe(202)
    expect((await cache.ask('POST', 'team/new/blobs/uploads/')).status).toBe(202)
    expect((await cache.ask('GET', 'team/cached/manifests/1')).status).toBe(200)
    expect((await cache.ask('PUT', 'team/cached/manifests/1')).status).toBe(403)
    expect((await cache.ask('POST', 'team/cached/blobs/uploads/')).status).toBe(403)
  })

  it('that are not in the list are not asked for', async () => {
    await using upstream = await startUpstream()
    await addImage(upstream.registry, 'secret/app', '1')
    await using cache = await cacheOf(upstream, { only: ['library/*'] })
    expect((await cache.ask('GET', 'up/secret/app/manifests/1')).status).toBe(404)
    expect(upstream.asked).toEqual([])
  })
})

describe('rights', () => {
  it('are those to the repository here, and are looked at before anything is asked', async () => {
    await using upstream = await startUpstream()
    await addImage(upstream.registry, 'library/alpine', '3')
    const needs: unknown[] = []
    const gate: Gate = {
      admit(_request, need) {
        needs.push(need)
        throw new Refusal(401, 'UNAUTHORIZED', 'authentication required')
      },
    }
    const docker = { registry: 'docker.io', prefix: 'hub', url: `http://${upstream.host}` }
    await using cache = await openCache([{ ...docker, isPrivate: true }], { gate })
    expect((await cache.ask('GET', 'alpine/manifests/3?ns=docker.io')).status).toBe(401)
    expect(needs).toEqual([{ repository: 'hub/library/alpine', actions: ['pull'] }])
    expect(upstream.asked).toEqual([])
  })
})

describe('eviction', () => {
  it('removes what nobody used for long, and fetches it again when it is wanted', async () => {
    await using upstream = await startUpstream()
    await addImage(upstream.registry, 'app', 'old')
    const fresh = await addImage(upstream.registry, 'app', 'new')
    await using cache = await cacheOf(upstream, { keepDays: 30, tagSeconds: 1e9 })
    await cache.ask('GET', 'up/app/manifests/old')
    await cache.ask('GET', 'up/app/manifests/new')
    cache.wait(20 * 86_400)
    await cache.ask('GET', 'up/app/manifests/new')
    await cache.idle()
    cache.wait(15 * 86_400)
    expect(await cache.evict()).toBe(1)
    expect(await cache.content.tags('up/app')).toEqual(['new'])
    expect(await cache.evict()).toBe(0)
    expect((await cache.ask('GET', 'up/app/manifests/old')).status).toBe(200)
    expect(await cache.content.tag('up/app', 'new')).toBe(fresh)
  })

  it('keeps the content of an upstream below its limit, the newest longest', async () => {
    await using upstream = await startUpstream()
    await using cache = await cacheOf(upstream, { keepBytes: 40 })
    for (const tag of ['1', '2', '3']) {
      await addImage(upstream.registry, 'app', tag)
      await cache.ask('GET', `up/app/manifests/${tag}`)
      await (await cache.ask('GET', `up/app/blobs/${digestOf(`layer of ${tag}`)}`)).read()
      await cache.pullThrough.settled()
      await cache.idle()
      cache.wait(60)
    }
    expect(await cache.evict()).toBe(0)
    await using smaller = cache.replica({ keepBytes: 25 })
    expect(await smaller.evict()).toBe(1)
    expect(await cache.content.tags('up/app')).toEqual(['2', '3'])
  })
})

describe('lists', () => {
  it('are those of the upstream, and what is here when it is away', async () => {
    await using upstream = await startUpstream()
    for (const tag of ['a', 'b', 'c']) await addImage(upstream.registry, 'app', tag)
    await using cache = await cacheOf(upstream)
    const page = await cache.ask('GET', 'up/app/tags/list?n=2')
    expect(JSON.parse(String(await page.read()))).toEqual({ name: 'up/app', tags: ['a', 'b'] })
    expect(page.headers['link']).toBe('</v2/up/app/tags/list?n=2&last=b>; rel="next"')
    await cache.ask('GET', 'up/app/manifests/a')
    await upstream.die()
    cache.wait(60)
    const stale = await cache.ask('GET', 'up/app/tags/list')
    expect(stale.headers['warning']).toBeDefined()
  })
})

describe('the spool', () => {
  it('loses what a process left that was killed, not what is being written', async () => {
    await using upstream = await startUpstream()
    await using cache = await cacheOf(upstream)
    await mkdir(cache.spoolFolder)
    for (const name of ['dead', 'alive']) await writeFile(path.join(cache.spoolFolder, name), name)
    await utimes(path.join(cache.spoolFolder, 'dead'), 1000, 1000)
    await emptySpool(cache.spoolFolder, 2_000_000)
    expect(await readdir(cache.spoolFolder)).toEqual(['alive'])
  })

  it('is empty when nothing is fetched', async () => {
    await using upstream = await startUpstream()
    const digest = await upstream.registry.addBlob('app', large)
    await using cache = await cacheOf(upstream)
    await (await cache.ask('GET', `up/app/blobs/${digest}`)).read()
    await cache.pullThrough.settled()
    expect(await readdir(cache.spoolFolder)).toEqual([])
  })
})
