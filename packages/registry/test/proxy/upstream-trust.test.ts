import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { describe, expect, it } from 'vitest'
import { createUpstream } from '../../src/proxy/upstream.ts'
import { addImage, digestOf } from '../support.ts'
import { openCache } from './cache.ts'
import { startUpstream } from './upstream.ts'

interface Listener extends AsyncDisposable {
  readonly host: string
  readonly seen: { readonly path: string; readonly headers: IncomingHttpHeaders }[]
}

/** Somebody who should not be asked, on the same machine. */
async function startListener(): Promise<Listener> {
  const seen: Listener['seen'] = []
  const server = createServer((request, response) => {
    seen.push({ path: request.url ?? '', headers: request.headers })
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"token":"stolen"}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('no TCP address')
  return {
    host: `127.0.0.1:${address.port}`,
    seen,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

const login = { username: 'robot', password: 's3cret' }

describe('an upstream', () => {
  it('in a private network is not reached unless the configuration says so', async () => {
    await using upstream = await startUpstream()
    await addImage(upstream.registry, 'app', '1')
    await using cache = await openCache([
      { registry: 'up.test', prefix: 'up', url: `http://${upstream.host}` },
    ])
    expect((await cache.ask('GET', 'up/app/manifests/1')).status).toBe(503)
    expect(upstream.asked).toEqual([])
  })

  it.each(['169.254.169.254', '[::1]:1', '10.0.0.1', 'localhost:1', 'the machine itself'])(
    'that redirects to %s is not followed (SSRF)',
    async (host) => {
      await using inside = await startListener()
      await using upstream = await startUpstream()
      const target = host === 'the machine itself' ? inside.host : host
      upstream.behave = (incoming, outgoing) => {
        if (incoming.url === '/v2/') return false
        outgoing.writeHead(307, { location: `http://${target}/latest/meta-data` }).end()
        return true
      }
      await using cache = await openCache([
        { registry: 'up.test', prefix: 'up', url: `http://${upstream.host}`, isPrivate: true },
      ])
      for (const what of ['manifests/1', `blobs/${digestOf('x')}`]) {
        const answer = await cache.ask('GET', `up/app/${what}`)
        expect(answer.status).toBe(503)
        // Nothing about where it led.
        expect(String(await answer.read())).not.toContain(target)
      }
      expect(inside.seen).toEqual([])
    },
  )

  it('gets its credentials, and no realm it names elsewhere does (CVE-2026-33540)', async () => {
    await using thief = await startListener()
    await using upstream = await startUpstream()
    upstream.behave = (_incoming, outgoing) => {
      const challenge = `Bearer realm="http://${thief.host}/token",service="x"`
      outgoing.writeHead(401, { 'www-authenticate': challenge }).end()
      return true
    }
    const up = {
      registry: 'up.test',
      prefix: 'up',
      url: `http://${upstream.host}`,
      isPrivate: true,
    }
    await using cache = await openCache([{ ...up, ...login }])
    const answer = await cache.ask('GET', 'up/app/manifests/1')
    expect(answer.status).toBe(503)
    expect(String(await answer.read())).not.toContain('s3cret')
    expect(thief.seen).toEqual([])
    await cache.ask('GET', 'up/app/manifests/2')
    expect(cache.warned).toHaveLength(1)
    expect(cache.warned[0]).toMatch(/^upstream up\.test: [A-Z_]+: .*127\.0\.0\.1/)
    expect(cache.warned[0]).not.toContain('s3cret')
  })

  it('does not get the credentials of another', async () => {
    await using first = await startUpstream()
    await using second = await startUpstream()
    const seen: unknown[] = []
    for (const upstream of [first, second]) {
      upstream.behave = (incoming, outgoing) => {
        if (upstream === second) seen.push(incoming.headers.authorization)
        const isLoggedIn = incoming.headers.authorization?.startsWith('Basic ') === true
        if (isLoggedIn) return false
        outgoing.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
        return true
      }
    }
    await addImage(first.registry, 'app', '1')
    await addImage(second.registry, 'app', '1')
    await using cache = await openCache([
      { registry: 'a.test', prefix: 'a', url: `http://${first.host}`, isPrivate: true, ...login },
      { registry: 'b.test', prefix: 'b', url: `http://${second.host}`, isPrivate: true },
    ])
    expect((await cache.ask('GET', 'a/app/manifests/1')).status).toBe(200)
    expect((await cache.ask('GET', 'b/app/manifests/1')).status).toBe(404)
    expect(seen.filter((header) => header !== undefined)).toEqual([])
  })

  it('that sends a manifest of another digest than it says, or was asked for, is not believed', async () => {
    await using upstream = await startUpstream()
    const digest = await addImage(upstream.registry, 'app', '1')
    const other = await addImage(upstream.registry, 'app', '2')
    upstream.behave = (incoming) => {
      if (incoming.url?.endsWith(digest) === true) incoming.url = `/v2/app/manifests/${other}`
      return false
    }
    await using cache = await openCache([
      { registry: 'up.test', prefix: 'up', url: `http://${upstream.host}`, isPrivate: true },
    ])
    expect((await cache.ask('GET', `up/app/manifests/${digest}`)).status).toBe(502)
    expect(await cache.database.all('SELECT digest FROM manifests')).toEqual([])
  })
})

describe('createUpstream', () => {
  it('takes no password that would go over the internet in clear text', () => {
    const given = { registry: 'up.test', url: 'http://up.test', ...login }
    expect(() => createUpstream(given)).toThrow('clear text')
    expect(() => createUpstream({ ...given, url: 'https://up.test' })).not.toThrow()
  })

  it.each([
    [{ registry: 'a b' }, 'no host'],
    [{ registry: 'a.test', url: 'ftp://a.test' }, 'url'],
    [{ registry: 'a.test', url: 'https://a.test/path' }, 'url'],
    [{ registry: 'a.test', url: 'https://u:p@a.test' }, 'holds a user'],
    [{ registry: 'a.test', username: 'x' }, 'needs a password'],
  ])('refuses %j', (options, reason) => {
    expect(() => createUpstream(options)).toThrow(reason)
  })
})
