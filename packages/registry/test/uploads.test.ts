import { describe, expect, it } from 'vitest'
import {
  codesOf,
  digestOf,
  startRegistry,
  storages,
  streamed,
  type TestRegistry,
} from './support.ts'

const content = 'the quick brown fox'
const digest = digestOf(content)

describe.each(storages)('uploads to %s', (kind) => {
  it('go in one POST', async () => {
    await using registry = await startRegistry(kind)
    const response = await registry.send('POST', `app/blobs/uploads/?digest=${digest}`, {
      body: content,
    })
    expect(response.status).toBe(201)
    expect(response.headers.get('location')).toBe(`/v2/app/blobs/${digest}`)
    expect(response.headers.get('docker-content-digest')).toBe(digest)
    expect(await read(registry, digest)).toBe(content)
  })

  it('go in POST and PUT', async () => {
    await using registry = await startRegistry(kind)
    const session = await begin(registry)
    const response = await registry.send('PUT', `${session}?digest=${digest}`, { body: content })
    expect(response.status).toBe(201)
    expect(await read(registry, digest)).toBe(content)
    expect((await registry.send('GET', session)).status).toBe(404)
  })

  it('go in chunks, with the last one in PATCH or in PUT', async () => {
    await using registry = await startRegistry(kind)
    for (const closing of ['', content.slice(10)]) {
      const session = await begin(registry)
      const first = await patch(registry, session, content.slice(0, 4), '0-3')
      expect([first.status, first.headers.get('range')]).toEqual([202, '0-3'])
      expect((await patch(registry, session, content.slice(4, 10), '4-9')).status).toBe(202)
      if (closing === '') await patch(registry, session, content.slice(10), '10-18')
      const done = await registry.send('PUT', `${session}?digest=${digest}`, {
        body: closing,
        ...(closing === '' ? {} : { headers: { 'content-range': '10-18' } }),
      })
      expect(done.status).toBe(201)
      expect(await read(registry, digest)).toBe(content)
      await registry.send('DELETE', `app/blobs/${digest}`)
    }
  })

  it('go in one stream without ranges', async () => {
    await using registry = await startRegistry(kind)
    const session = await begin(registry)
    expect((await registry.send('PATCH', session, { body: content })).status).toBe(202)
    expect((await registry.send('PUT', `${session}?digest=${digest}`)).status).toBe(201)
    expect(await read(registry, digest)).toBe(content)
  })

  it('refuse a chunk out of order and stay usable', async () => {
    await using registry = await startRegistry(kind)
    const session = await begin(registry)
    await patch(registry, session, content.slice(0, 4), '0-3')
    for (const range of ['5-18', '0-14', '3-17', 'x-y', '4-5']) {
      const response = await patch(registry, session, content.slice(4), range)
      expect(response.status).toBe(416)
      expect(response.headers.get('range')).toBe('0-3')
      expect(response.headers.get('location')).toBe(`/v2/${session}`)
      expect(await codesOf(response)).toEqual(['RANGE_INVALID'])
    }
    const closing = await registry.send('PUT', `${session}?digest=${digest}`, {
      body: content.slice(5),
      headers: { 'content-range': '5-18' },
    })
    expect(closing.status).toBe(416)
    const status = await registry.send('GET', session)
    expect([status.status, status.headers.get('range')]).toEqual([204, '0-3'])
    await patch(registry, session, content.slice(4), '4-18')
    expect((await registry.send('PUT', `${session}?digest=${digest}`)).status).toBe(201)
    expect(await read(registry, digest)).toBe(content)
  })

  it('may be asked about and cancelled', async () => {
    await using registry = await startRegistry(kind)
    const session = await begin(registry)
    const status = await registry.send('GET', session)
    expect([status.status, status.headers.get('range')]).toEqual([204, '0-0'])
    expect((await registry.send('DELETE', session)).status).toBe(204)
    for (const method of ['GET', 'PATCH', 'PUT', 'DELETE']) {
      const response = await registry.send(method, `${session}?digest=${digest}`)
      expect(response.status).toBe(404)
      expect(await codesOf(response)).toEqual(['BLOB_UPLOAD_UNKNOWN'])
    }
  })

  it('belong to the repository they began in', async () => {
    await using registry = await startRegistry(kind)
    const session = await begin(registry)
    const foreign = session.replace('app/', 'other/')
    expect((await registry.send('GET', foreign)).status).toBe(404)
    expect((await registry.send('PATCH', foreign, { body: 'x' })).status).toBe(404)
  })

  it.each([
    ['POST', () => `app/blobs/uploads/?digest=${digest}`],
    ['PUT', async (registry: TestRegistry) => `${await begin(registry)}?digest=${digest}`],
  ])('refuse other bytes than the digest says: %s', async (method, address) => {
    await using registry = await startRegistry(kind)
    const response = await registry.send(method, await address(registry), { body: 'other bytes' })
    expect(response.status).toBe(400)
    expect(await codesOf(response)).toEqual(['DIGEST_INVALID'])
    expect((await registry.send('HEAD', `app/blobs/${digest}`)).status).toBe(404)
    expect((await registry.send('HEAD', `app/blobs/${digestOf('other bytes')}`)).status).toBe(404)
  })

  it('learn of sha512 when they are closed', async () => {
    await using registry = await startRegistry(kind)
    const long = digestOf(content, 'sha512')
    for (const query of ['', '?digest-algorithm=sha512']) {
      const session = await begin(registry)
      await registry.send('PATCH', session + query, { body: content })
      expect((await registry.send('PUT', `${session}?digest=${long}`)).status).toBe(201)
      expect(await read(registry, long)).toBe(content)
      await registry.send('DELETE', `app/blobs/${long}`)
    }
  })

  it('refuse other bytes than a sha512 digest says that they learn of when they are closed', async () => {
    await using registry = await startRegistry(kind)
    const session = await begin(registry)
    await registry.send('PATCH', session, { body: 'other bytes' })
    const long = digestOf(content, 'sha512')
    const response = await registry.send('PUT', `${session}?digest=${long}`)
    expect([response.status, await codesOf(response)]).toEqual([400, ['DIGEST_INVALID']])
    expect((await registry.send('HEAD', `app/blobs/${long}`)).status).toBe(404)
  })

  it('take one request at a time: two would mix their bytes', async () => {
    await using registry = await startRegistry(kind)
    const session = await begin(registry)
    const second = Promise.withResolvers<void>()
    async function* slow(): AsyncIterable<Uint8Array> {
      yield Buffer.from(content.slice(0, 7))
      await second.promise
      yield Buffer.from(content.slice(7))
    }
    const first = registry.send('PATCH', session, streamed(slow()))
    while ((await registry.send('GET', session)).headers.get('range') !== '0-6');
    const refused = await registry.send('PATCH', session, { body: 'between' })
    expect([refused.status, await codesOf(refused)]).toEqual([409, ['BLOB_UPLOAD_INVALID']])
    second.resolve()
    expect((await first).status).toBe(202)
    expect((await registry.send('PUT', `${session}?digest=${digest}`)).status).toBe(201)
    expect(await read(registry, digest)).toBe(content)
  })

  it.each(['', 'sha256:abc', 'md5:d41d8cd98f00b204e9800998ecf8427e', '../../etc/passwd'])(
    'refuse the digest %j',
    async (text) => {
      await using registry = await startRegistry(kind)
      const query = new URLSearchParams(text === '' ? {} : { digest: text })
      const response = await registry.send('PUT', `${await begin(registry)}?${query.toString()}`)
      expect(response.status).toBe(400)
      expect(await codesOf(response)).toEqual(['DIGEST_INVALID'])
    },
  )

  it('are mounted from another repository without bytes', async () => {
    await using registry = await startRegistry(kind)
    await registry.addBlob('from/here', content)
    const query = `mount=${digest}&from=${encodeURIComponent('from/here')}`
    for (let times = 0; times < 2; times++) {
      const response = await registry.send('POST', `app/blobs/uploads/?${query}`)
      expect(response.status).toBe(201)
      expect(response.headers.get('location')).toBe(`/v2/app/blobs/${digest}`)
    }
    await registry.send('DELETE', `from/here/blobs/${digest}`)
    expect(await read(registry, digest)).toBe(content)
  })

  it.each(['from=from/here', 'from=Bad..Name', 'from=../x', ''])(
    'begin normally when there is nothing to mount: %j',
    async (from) => {
      await using registry = await startRegistry(kind)
      const response = await registry.send('POST', `app/blobs/uploads/?mount=${digest}&${from}`)
      expect(response.status).toBe(202)
      const location = response.headers.get('location')?.replace('/v2/', '') ?? ''
      const closed = await registry.send('PUT', `${location}?digest=${digest}`, { body: content })
      expect(closed.status).toBe(201)
    },
  )

  it('keep what arrived before the connection broke', async () => {
    await using registry = await startRegistry(kind)
    const session = await begin(registry)
    const cut = new AbortController()
    async function* part(): AsyncIterable<Uint8Array> {
      yield Buffer.from(content.slice(0, 7))
      // The registry has the bytes before the client goes.
      while ((await registry.send('GET', session)).headers.get('range') !== '0-6');
      cut.abort()
      yield Buffer.from('never')
    }
    const init = { ...streamed(part()), signal: cut.signal }
    await expect(registry.send('PATCH', session, init)).rejects.toThrow()
    let response = await patch(registry, session, content.slice(7), '7-18')
    // Until the registry notices that the first client is gone.
    while (response.status === 409)
      response = await patch(registry, session, content.slice(7), '7-18')
    expect(response.status).toBe(202)
    expect((await registry.send('PUT', `${session}?digest=${digest}`)).status).toBe(201)
    expect(await read(registry, digest)).toBe(content)
  })

  it('show nothing of a POST that was cut', async () => {
    await using registry = await startRegistry(kind)
    const cut = new AbortController()
    async function* part(): AsyncIterable<Uint8Array> {
      yield Buffer.from(content)
      cut.abort()
      yield Buffer.from('never')
    }
    const init = { ...streamed(part()), signal: cut.signal }
    const sent = registry.send('POST', `app/blobs/uploads/?digest=${digest}`, init)
    await expect(sent).rejects.toThrow()
    expect((await registry.send('HEAD', `app/blobs/${digest}`)).status).toBe(404)
  })
})

/** Begins a session of `app`; its path. */
async function begin(registry: TestRegistry): Promise<string> {
  const response = await registry.send('POST', 'app/blobs/uploads/')
  expect(response.status).toBe(202)
  const location = response.headers.get('location') ?? ''
  expect(location).toBe(`/v2/app/blobs/uploads/${response.headers.get('docker-upload-uuid')}`)
  return location.replace('/v2/', '')
}

function patch(
  registry: TestRegistry,
  session: string,
  body: string,
  range: string,
): Promise<Response> {
  return registry.send('PATCH', session, { body, headers: { 'content-range': range } })
}

async function read(registry: TestRegistry, name: string): Promise<string> {
  return (await registry.send('GET', `app/blobs/${name}`)).text()
}
